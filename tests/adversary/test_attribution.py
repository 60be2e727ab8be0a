"""The parts of a cost, and the picture of them."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from strategies import feasible_starts, instances, policy_specs

import kvopt.adversary.attribution as explaining
from kvopt import FCFS, InputError, Instance, Schedule, Stopping, policy_from_spec, simulate
from kvopt.adversary import Candidate
from kvopt.adversary.attribution import CAUSES, account, attribute
from kvopt.plot.figures import figure_of, rendered
from kvopt.plot.look import CAUSE_LOOKS
from kvopt.plot.ratio_pictures import plot_causes
from kvopt.solver.primal.list_schedules import best_list_schedule
from kvopt.solver.stage import run_alone
from kvopt.solver.state_search.stage import StateSearch

WITNESS = Candidate(23, ((0, 17, 3), (0, 9, 9))).instance()


def round_by_round(schedule: Schedule) -> dict[str, int]:
    """The same from the definitions, token by token."""
    instance, attempts = schedule.instance, list(schedule)
    n, memory = len(instance), instance.memory
    completions, begins = schedule.completion_times().tolist(), schedule.starts().tolist()
    found = dict.fromkeys(CAUSES, 0)
    for r in range(1, schedule.makespan + 1):
        unfinished = [i for i in range(n) if completions[i] >= r]
        running = [a for a in attempts if a.start < r <= a.end]
        waiting = [i for i in unfinished if i not in {a.request for a in running}]
        held: dict[str, int] = defaultdict(int)
        for a in running:
            own = instance[a.request]
            smaller = [j for j in range(n) if instance[j].area < own.area and begins[j] >= r]
            cause = "killed" if a.killed else "order" if smaller else "useful"
            held[cause] += own.prompt + r - a.start

        def in_use(x: int, running: list = running) -> int:
            return sum(instance[a.request].prompt + x - a.start for a in running if a.end >= x)

        def fits(i: int, r: int = r) -> bool:
            prompt, output = instance[i].prompt, instance[i].output
            return all(in_use(r - 1 + j) + prompt + j <= memory for j in range(1, output + 1))

        emptied = max((a.end for a in running), default=r)
        if not waiting:
            cause = "end"
        elif not any(map(fits, waiting)):
            cause = "full"
        else:
            later = any(r <= a.start < emptied for a in attempts)
            cause = "idle" if later else "drain"
        held[cause] += memory - in_use(r)
        for cause, tokens in held.items():
            found[cause] += len(unfinished) * tokens
    return found


@given(instances(max_requests=7, max_memory=16), policy_specs)
def test_parts_of_a_policy_are_as_defined(instance: Instance, spec: str) -> None:
    schedule = simulate(instance, policy_from_spec(spec))
    if schedule.keeps_tokens:
        with pytest.raises(InputError, match="must not keep tokens of killed attempts"):
            account(spec, schedule)
        return
    found = account(spec, schedule)
    assert found.tokens == round_by_round(schedule)
    assert sum(found.tokens.values()) == found.cost * instance.memory
    assert sum(map(found.rounds, CAUSES)) == schedule.total_completion_time() == found.cost
    assert sum(map(found.share, CAUSES)) == 1


@given(st.data())
def test_parts_of_any_schedule_are_as_defined(data: st.DataObject) -> None:
    instance = data.draw(instances(max_requests=6, max_memory=12))
    schedule = Schedule.from_starts(instance, data.draw(feasible_starts(instance)))
    assert account("drawn", schedule).tokens == round_by_round(schedule)


def test_the_work_does_not_grow_with_the_rounds() -> None:
    instance = Instance(10**9, [0, 5], [10**9, 10**8])
    found = account("serial", Schedule.from_starts(instance, [0, 10**9]))
    assert found.cost == 2 * 10**9 + 10**8
    assert sum(found.tokens.values()) == found.cost * 10**9
    assert found.tokens["useful"] == instance[1].area
    assert found.tokens["order"] == 2 * instance[0].area


def witness_explained() -> explaining.Attribution:
    policy = policy_from_spec("gsa:alpha=2")
    result = run_alone(StateSearch(), WITNESS, best_list_schedule(WITNESS), Stopping(60))
    assert result.lower_bound == result.objective
    return attribute(WITNESS, policy, result.starts)


def test_a_known_witness() -> None:
    found = witness_explained()
    assert (found.policy.cost, found.reference.cost) == (2301, 303)
    assert found.ratio == Fraction(2301, 303)
    assert found.reference.tokens["killed"] == 0 < found.policy.tokens["killed"]
    assert sum(map(found.excess, CAUSES)) == 1998
    # One request at a time runs in slices of 16 rounds, though a short one would fit beside it.
    assert max(CAUSES, key=found.excess) == "drain"
    head, cause, _, labels, *rows = found.text().splitlines()
    assert head == (
        "gsa:alpha=2 pays 2,301 rounds, 7.594 times the 303 of the optimum, above all for memory"
    )
    assert cause == f"{CAUSES['drain']}."
    assert labels.split() == ["gsa:alpha=2", "the", "optimum"]
    present = [c for c in CAUSES if found.policy.tokens[c] or found.reference.tokens[c]]
    assert [row.split("%  ")[-1] for row in rows] == [CAUSES[c] for c in present]
    for cause, row in zip(present, rows, strict=True):
        rounds = float(row.split()[0].replace(",", ""))
        assert abs(Fraction(rounds) - found.policy.rounds(cause)) <= Fraction(51, 1000)


def test_text_names_no_cause_where_there_is_no_difference() -> None:
    text = attribute(Instance(4, [0], [4]), FCFS(), [0], "the best schedule known").text()
    assert text.splitlines()[0] == (
        "fcfs pays 4 rounds, 1.000 times the 4 of the best schedule known."
    )


def test_what_cannot_be_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"starts: must be 12 numbers, got shape \(2,\)"):
        attribute(WITNESS, FCFS(), [0, 1])
    with pytest.raises(InputError, match="the optimum: must be feasible .* rounds 12..17 use"):
        attribute(WITNESS, FCFS(), [0, 0, 17, *range(34, 114, 9)])
    monkeypatch.setattr(explaining, "MOST_ATTEMPTS", 11)
    with pytest.raises(InputError, match="at most 11 attempts to be explained, got 12"):
        attribute(WITNESS, policy_from_spec("mc-sf"), range(0, 204, 17))


def test_causes_picture() -> None:
    found = witness_explained()
    ax = plot_causes(found, Figure().add_subplot())
    assert ax.get_title("left") == "gsa:alpha=2: 7.594 times the optimum"
    assert ax.get_xlabel() == "cost by what the memory held (rounds)"
    drawn = {bars.get_label(): bars for bars in ax.containers}
    for cause, words in CAUSES.items():
        accounts = (found.policy, found.reference)
        assert [bar.get_width() for bar in drawn[words]] == [
            pytest.approx(float(one.rounds(cause))) for one in accounts
        ]
    for row, cost in enumerate((2301, 303)):
        ends = [bars[row].get_x() + bars[row].get_width() for bars in ax.containers]
        assert max(ends) == pytest.approx(cost)
    texts = {text.get_text() for text in ax.texts}
    assert texts > {"1,333", "gsa:alpha=2: 2,301 rounds", "the optimum: 303 rounds"}


def test_causes_are_told_apart_without_colour() -> None:
    assert list(CAUSE_LOOKS) == list(CAUSES)

    def grey(colour: str) -> float:
        red, green, blue = mpl.colors.to_rgb(colour)
        return round(0.3 * red + 0.59 * green + 0.11 * blue, 1)

    looks = {(grey(look["facecolor"]), look.get("hatch")) for look in CAUSE_LOOKS.values()}
    assert len(looks) == len(CAUSES)


def test_causes_legend_is_not_cut_off() -> None:
    found = witness_explained()

    def make() -> Figure:
        figure = figure_of("causes", explanation=found)()
        figure.draw_without_rendering()
        (legend,) = figure.legends
        assert legend.get_window_extent().x1 <= figure.bbox.x1
        return figure

    assert rendered(make, "png")


@pytest.mark.parametrize("file_type", ["png", "svg"])
def test_the_same_picture_gives_the_same_bytes(file_type: str) -> None:
    found = attribute(Instance(4, [0, 0], [4, 3]), FCFS(), [2, 0])
    first = rendered(figure_of("causes", explanation=found), file_type)
    assert first == rendered(figure_of("causes", explanation=found), file_type)


def test_the_quotient_is_that_of_the_two_costs() -> None:
    found = attribute(Instance(5, [0, 0], [5, 3]), FCFS(), [3, 0])
    whole = found.ratio
    assert f", {float(whole):.3f} times the {found.reference.cost} of the optimum" in found.text()
    assert f"{whole.numerator}/{whole.denominator}" == "13/11"
