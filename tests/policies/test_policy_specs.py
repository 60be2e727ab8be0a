"""How policies are written, and made."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from strategies import policy_specs

from kvopt import (
    POLICIES,
    Decisions,
    InputError,
    Instance,
    Machine,
    Policy,
    policy_from_spec,
    simulate,
)
from kvopt.policies import spec_of
from kvopt.policies.policy import parameter_text, parameters


@given(policy_specs)
def test_specs_round_trip(spec: str) -> None:
    policy = policy_from_spec(spec)
    assert policy_from_spec(spec_of(policy)) == policy


def test_policies_say_what_they_are() -> None:
    for policy in POLICIES:
        assert policy.__doc__
        assert "Guarantee:" in policy.__doc__
        assert policy_from_spec(policy.name) == policy()
        for field in parameters(policy).values():
            assert field.metadata["parse"](parameter_text(field.default), "x") == field.default


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "policy: must be one of gba, gba-d, gsa, .* or module:Class, got ''"),
        ("nope", "policy: must be one of .* got 'nope'"),
        ("gsa:", "policy gsa: must have key=value after ':', got ''"),
        ("gsa:alpha", "policy gsa: must have key=value after ':', got 'alpha'"),
        ("gsa:gamma=2", "policy gsa: 'gamma': unknown parameter, known: alpha, beta, spacing"),
        ("gsa:alpha=2:alpha=3", "policy gsa: alpha: given twice, got '3'"),
        ("gsa:alpha=1", "policy gsa: alpha: must be greater than 1, got 1"),
        ("gsa:alpha=1/2", "policy gsa: alpha: must be greater than 1, got 1/2"),
        ("gsa:alpha=1.0001", "policy gsa: alpha: must be at least 1.001 to be run, got 1.0001"),
        ("gsa:alpha=nan", "policy gsa: alpha: must be a number like .* got 'nan'"),
        ("gsa:spacing=wide", "policy gsa: spacing: must be sps or sps2 or tight, got 'wide'"),
        ("gsa:slices=area:beta=2", "policy gsa: beta: must be 1 with slices=area"),
        ("gsa:slices=certified:offset=random", "policy gsa: offset: must be fixed with"),
        ("gsa:drain=perhaps", "policy gsa: drain: must be yes or no, got 'perhaps'"),
        ("gsa:seed=1.5", "policy gsa: seed: must be an integer.* got '1.5'"),
        ("a-max:width=1/2", "policy a-max: width: must be at least 1.* got 1/2"),
        ("a-min:width=x", "policy a-min: width: must be .* got 'x'"),
        ("alpha-protection:a=1", "policy alpha-protection: a: must be .* got 1"),
        ("gsa:beta=0.5", "policy gsa: beta: must be at least 1, got 0.5"),
        ("gba:beta=2", "policy gba: 'beta': unknown parameter, known: alpha"),
        ("no_such_module:Class", "policy no_such_module:Class: cannot be imported: No module"),
        ("oracles.gsa:Nothing", "policy oracles.gsa:Nothing: module has no such class"),
        ("oracles.gsa:gsa", "policy oracles.gsa:gsa: must be a class with name, clairvoyant, run"),
    ],
)
def test_refuses_bad_specs(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        policy_from_spec(spec)


class OneByOne(Policy):
    name = "one-by-one"
    clairvoyant = True

    def run(self, machine: Machine) -> Decisions:
        outputs = machine.outputs_of(machine.waiting())
        ends = np.cumsum(outputs)
        machine.commit(machine.waiting(), ends - outputs)
        return
        yield


def test_a_users_own_policy() -> None:
    policy = policy_from_spec(f"{__name__}:OneByOne")
    assert isinstance(policy, OneByOne)
    instance = Instance(10, [2, 2], [3, 5])
    assert simulate(instance, policy).completion_times().tolist() == [3, 8]
    assert policy.guarantee(instance) is None
