"""Parameters are checked when a policy is made, as the command line checks them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from strategies import POLICY_SPECS

from kvopt import (
    GBA,
    GSA,
    POLICIES,
    Decisions,
    InputError,
    Machine,
    Policy,
    parameter,
    policy_from_spec,
)
from kvopt.model.spec import integer
from kvopt.policies import AlphaProtection, AMax
from kvopt.policies.policy import parameter_text, parameters

EVERY = [(policy, key) for policy in POLICIES for key in parameters(policy)]

UNACCEPTABLE: list[Any] = [
    *(Fraction(-1), Fraction(0), -1, "", "nan", "no such value", object(), [2], b"2"),
    *(0.5, float("nan"), float("inf"), complex(1, 1)),
]
"""No parameter has such a value, but that some integers may be 0."""


@pytest.mark.parametrize(("policy", "key"), EVERY)
def test_every_parameter_is_checked(policy: type[Policy], key: str) -> None:
    for value in UNACCEPTABLE:
        if key == "seed" and value == 0:
            continue
        with pytest.raises(InputError, match=f"^policy {policy.name}: {key}: ") as caught:
            policy(**{key: value})
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("policy", "key"), EVERY)
def test_constructors_and_the_command_line_agree(policy: type[Policy], key: str) -> None:
    texts = ["0", "1", "2", "1/2", "3/2", "1.0001", "phi", "sqrt(2)", "none", "yes", "no", "x"]
    texts += ["sps", "tight", "area", "certified", "random", "fixed", "1e3", "10" * 15, "-1"]
    for text in texts:
        try:
            made: Policy | str = policy_from_spec(f"{policy.name}:{key}={text}")
        except InputError as error:
            made = str(error)
        try:
            given: Policy | str = policy(**{key: text})
        except InputError as error:
            given = str(error)
        assert given == made


@pytest.mark.parametrize("spec", POLICY_SPECS)
def test_values_stay_what_they_are(spec: str) -> None:
    policy = policy_from_spec(spec)
    values = {key: getattr(policy, key) for key in parameters(type(policy))}
    assert type(policy)(**values) == policy
    texts = {key: parameter_text(value) for key, value in values.items()}
    assert type(policy)(**texts) == policy


def test_values_become_exact() -> None:
    assert GSA(alpha=2).alpha == GSA(alpha="2").alpha == Fraction(2)  # type: ignore[arg-type]
    assert isinstance(GSA(alpha=2).alpha, Fraction)  # type: ignore[arg-type]
    assert GBA(drain="no").drain is False  # type: ignore[arg-type]
    assert AMax(width=None).width is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GSA(alpha=Fraction(1)), "policy gsa: alpha: must be greater than 1, got 1"),
        (lambda: GBA(alpha=1.5), "policy gba: alpha: must be exact, .* got the float 1.5"),
        (lambda: GSA(beta=Fraction(0)), "policy gsa: beta: must be at least 1, got 0"),
        (lambda: GSA(beta=Fraction(2), slices="area"), "beta: must be 1 with slices=area"),
        (lambda: AlphaProtection(a=Fraction(1)), "policy alpha-protection: a: must be a rational"),
    ],
)
def test_says_what_is_wrong(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


@dataclass(frozen=True)
class Own(Policy):
    name = "own"
    clairvoyant = False

    first: int = parameter(0, integer(0, 5), "which request comes first")

    def run(self, machine: Machine) -> Decisions:
        yield from ()


def test_a_users_parameters_are_checked_too() -> None:
    assert Own(first=3).first == 3
    with pytest.raises(InputError, match="policy own: first: must be"):
        Own(first=6)
