"""The scripts behind docs/results/experiments.md, on a small made-up trace."""

import gzip
import random
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

from kvopt import Instance, policy_from_spec, simulate

sys.path.append(str(Path(__file__).parent.parent / "scripts"))

import reproduce_paper
from paper import online, orderings, report
from paper.measures import (
    Comparison,
    Measurement,
    Results,
    Setting,
    comparison,
    measured,
    rank_correlation,
)

CHAT = Setting("lmsys_lengths.csv.gz", 500, 5, True)
SAMPLES = range(2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a made-up trace."""
    rng = random.Random(1)
    rows = [f"{rng.randint(1, 9)},{rng.randint(1, 40)}" for _ in range(60)]
    trace = tmp_path / CHAT.trace
    trace.write_text("\n".join(["prompt_tokens,output_tokens", *rows]) + "\n")
    return tmp_path


@pytest.fixture
def runs(folder: Path) -> reproduce_paper.Runs:
    """Return the runs of a small experiment with all policies, rounded and raw."""
    runs = reproduce_paper.Runs(folder / "runs.jsonl")
    for rounded in (True, False):
        setting = Setting(CHAT.trace, CHAT.memory, CHAT.prompt, rounded)
        plan = reproduce_paper.Plan(3, setting, (5, 20), reproduce_paper.CHAT_POLICIES)
        reproduce_paper.run(plan, folder, SAMPLES, runs)
    return runs


def run_of(policy: str, size: int, cost: int, makespan: int = 10) -> Measurement:
    return Measurement(
        setting=CHAT,
        size=size,
        seed=0,
        policy=policy,
        clairvoyant=False,
        proved=None,
        lower_bound=1,
        dropped=0.0,
        cost=cost,
        makespan=makespan,
        kills=0,
        useful=500,
        thrown_away=200,
        peak=200,
        wait=0.0,
    )


@given(instances(), st.sampled_from(["gsa", "fcfs", "mc-sf"]))
def test_the_accounts_of_a_schedule_add_up(instance: Instance, spec: str) -> None:
    schedule = simulate(instance, policy_from_spec(spec))
    found = measured(schedule)
    used = sum(
        sum(int(instance.prompts[a.request]) + j for j in range(1, a.end - a.start + 1))
        for a in schedule
    )
    assert found["useful"] + found["thrown_away"] == used
    assert found["useful"] == sum(r.area for r in instance)
    assert found["cost"] == schedule.total_completion_time()


def test_shares_of_the_memory_add_up_to_all_of_it() -> None:
    run = run_of("gsa", 4, 20)
    assert run.useful + run.thrown_away + run.idle == run.capacity == 5000
    assert run.thrown_share == 0.04
    assert run.idle_share == 0.86
    assert run.mean == run.makespan * run.earliness


@pytest.mark.parametrize(
    ("y", "tau"), [([1, 2, 3], 1), ([3, 2, 1], -1), ([1, 1, 1], 0), ([1, 3, 2], 1 / 3), ([5], 0)]
)
def test_rank_correlation(y: list[float], tau: float) -> None:
    assert rank_correlation(range(len(y)), y) == pytest.approx(tau)


def test_a_lead_that_grows() -> None:
    runs = [run_of("a", 5, 50), run_of("b", 5, 60), run_of("a", 10, 100), run_of("b", 10, 200)]
    found = comparison(Results(runs), CHAT, "a", "b")
    assert found == Comparison((5, 10), (2.0, 10.0), (1 / 6, 0.5))
    assert (found.wins, found.grows) == (2, True)
    assert not comparison(Results(runs), CHAT, "b", "a").grows


@pytest.mark.parametrize(("holds", "verdict"), [(10, "yes"), (9, "yes"), (8, "in part"), (0, "no")])
def test_verdicts_are_counted(holds: int, verdict: str) -> None:
    assert orderings.verdict_of(holds, 10, orderings.NEARLY_ALL) == verdict
    assert orderings.verdict_of(9, 10) == "in part"


def test_what_is_done_is_not_done_again(folder: Path, runs: reproduce_paper.Runs) -> None:
    with runs.path.open("a") as file:
        file.write('{"setting": {"tra')  # killed while writing
    again = reproduce_paper.Runs(runs.path)
    assert again.measurements == runs.measurements
    plan = reproduce_paper.Plan(3, CHAT, (5, 20), reproduce_paper.CHAT_POLICIES)
    reproduce_paper.run(plan, folder, SAMPLES, again)
    assert again.measurements == runs.measurements
    plan = reproduce_paper.Plan(3, CHAT, (6,), ("gsa",))
    reproduce_paper.run(plan, folder, SAMPLES, again)
    assert reproduce_paper.Runs(runs.path).measurements == again.measurements
    assert len(again.measurements) == len(runs.measurements) + len(SAMPLES)


def test_the_report_is_made_of_the_runs(runs: reproduce_paper.Runs) -> None:
    results = Results(runs.measurements)
    page = "\n\n".join(report.sections(results))
    for policy in reproduce_paper.CHAT_POLICIES:
        assert page.count(f"`{policy}`") >= 5
    raw = Setting(CHAT.trace, CHAT.memory, CHAT.prompt, False)
    mean = results.mean(raw, 20, "fcfs")
    assert f"{mean:,.0f}" in page
    for ordering in orderings.orderings(results):
        assert bool(ordering.why) == (ordering.verdict != "yes")
    for setting in results.settings:
        for policy in results.policies(setting):
            low, high = (f(setting, 20, policy) for f in (results.ratio_low, results.ratio_high))
            assert 1 <= low <= high


@pytest.mark.parametrize("traces", [[], ["--traces", "nowhere"]])
def test_missing_traces_are_one_line(
    traces: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["reproduce_paper.py", "--output", str(tmp_path), "--only", "3", *traces]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match=r"^--traces[^\n]*$"):
        reproduce_paper.main()


def test_the_policy_to_run_is_the_one_that_misses_the_best_by_least() -> None:
    """At one load it may lose; what counts is by how much."""
    points = [
        online.Point(trace, load, policy, 9, mean, mean, 4.0, ms, ms)
        for trace in online.TRACES
        for load, policy, mean, ms in (
            *(("0.5", "fcfs", 5.0, 8.0), ("0.5", "a-min", 4.0, 9.0)),
            *(("1", "fcfs", 8.0, 8.0), ("1", "a-min", 12.0, 9.5)),
            *(("0.5", "svf", 4.0, 6.0), ("1", "svf", 6.5, 7.0)),
        )
    ]
    assert online.regret(points, "fcfs", "mean_rounds") == Fraction(5, 4)
    not_told, told = online.answers(points)
    assert "`fcfs` for the mean, which is at most 1.25 times" in not_told
    assert "1.25 to 2.00 times the bound on azure_code" in not_told
    assert "`svf` for the mean, which is at most 1.00 times" in told


def test_the_online_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    for trace in online.TRACES:
        rows = (
            f"2031-01-01 00:{n // 60:02d}:{n % 60:02d}.{rng.randint(0, 9)},{rng.randint(1, 900)},"
            f"{rng.randint(1, 300)}"
            for n in range(60)
        )
        text = "\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n"
        (tmp_path / trace).write_bytes(gzip.compress(text.encode()))
    monkeypatch.setattr(online, "ROWS", 40)
    monkeypatch.setattr(online, "MEMORY", 2000)
    monkeypatch.setattr(online, "LOADS", ("0.5", "1.1"))
    instance = online.instance_at(tmp_path / online.TRACES[0], "1.1", 40)
    assert float(instance.load or 0) == pytest.approx(1.1, rel=0.02)
    arguments = ["reproduce_paper.py", "--output", str(tmp_path / "out"), "--only", "6"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--traces", str(tmp_path)])
    reproduce_paper.main()
    store = tmp_path / "out" / ".online.jsonl"
    before = store.read_text()
    assert before.count("\n") == 2 * 2 * len(online.POLICIES)
    reproduce_paper.main()
    assert store.read_text() == before
    page = (tmp_path / "out" / "online.md").read_text()
    assert page.count("| `rect` |") == 4
    assert "- not told output lengths: `" in page
    assert (tmp_path / "out" / "online-p99.png").stat().st_size > 2000
