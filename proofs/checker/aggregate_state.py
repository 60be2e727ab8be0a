"""Rule "aggregate-state": paths of how many run and what they use (text/aggregate_state.md).

Take a cheapest schedule; it has no idle round (model.md, lemma 1).  Of what happens at a time
see only that K requests run and hold W tokens; a run that started at u holds s + t - u at time
t.  At each time t = 0, 1, ... some requests complete, each takes (1, s + o) from (K, W); then
some start, each adds (1, s); then there is a round, which adds (0, K), and needs K >= 1 and
W + K <= M.  Whoever runs on after completions has had a round, so there W >= K (s_min + 1); at
most min(n, M / (s_min + 1)) run.  That is a path; it ends with K = 0, or goes on to time H.

Let F[k,t] be the completions of type k = (s, o) at t, S[s,t] the starts of prompt s.  Then
  demand, k:              sum over t of F[k,t]  =  n_k
  start, s, t < H:        S[s,t]  =  sum over types (s, o) of F[(s,o),t+o]
  window cover, m, u:     sum over k, t in (u - d_k, u] of F[k,t+o]  <=  m   (see linear_duals)
  second moment, t < H:   sum of b^2  >=  least(K, W), for the tokens b of those who run after
                          the completions of t; least is for K integers of sum W as equal as
                          can be.
As (b + 1)^2 = b^2 + 2 b + 1, this sum of b^2 is the sum of s^2 over the starts before t, plus
2 W + K over the rounds before t, less (s + o)^2 over the completions up to t.

Multiplied with duals (covers, second moments: >= 0) and added to the cost, these add 0 or
less: what every event costs then follows from the event and its time.  With rest(t) = the sum
of the duals of second moments from t on:
  a completion at t:          D t - demand - start(s, t - o) + the duals of the covers
                              u = t - o .. t - o + d - 1, + (s + o)^2 rest(t)
  a start at t:               start(s, t) - s^2 rest(t + 1)
  a round from t to t + 1:    -(2 W + K) rest(t + 1)
  K, W after completions:     moment(t) least(K, W)
So D times the cost is at least sum of n_k demand_k - sum of m q, plus the cheapest path.  Beyond
H only completions cost something.  One who starts at H or later costs at least
D (H + o) - demand, and a dual is refused if that is negative; one who runs at H costs at least
`end`, the least of 0 and all completions after H.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

from budget import LARGE, Budget
from instances import Types
from limits import MAX_NUMBER, MAX_TOKENS
from linear_duals import covered
from reading import Refused, fields, integer, listed, read_duals, series, short


class Completions(NamedTuple):
    """What completions of a type cost at times output, output + 1, ... up to the horizon."""

    peak: int
    output: int
    costs: list[int]


class Program(NamedTuple):
    """What events cost, times the scale; a path and `value` together bound the cost."""

    memory: int
    unit: int  # the least that someone who runs on holds
    running: int  # the most that run at once
    horizon: int
    value: int
    starts: dict[int, list[int]]  # of each prompt, at each time
    moments: list[int]
    rest: list[int]
    completions: list[Completions]
    end: int


def prove(memory: int, types: Types, low: int, proof: dict[str, Any], budget: Budget) -> int:
    """Return the bound that the duals and the cheapest path give, rounded up."""
    program = read_program(memory, types, proof, budget)
    return -(-(program.value + cheapest_path(program)) // proof["scale"])


def read_program(memory: int, types: Types, proof: dict[str, Any], budget: Budget) -> Program:
    """Return what events cost with the duals of a proof."""
    fields(proof, "proof", ("rule", "scale", "start", "duals", "covers", "second_moments"))
    scale = integer(proof["scale"], 1, MAX_NUMBER, "proof.scale")
    horizon = len(listed(proof["second_moments"], "proof.second_moments"))
    prompts = sorted({s for s, _ in types})
    smallest = prompts[0]
    running = min(sum(types.values()), memory // (smallest + 1))
    levels = len(listed(proof["covers"], "proof.covers"))
    states = (running + 1) * (memory + 1)
    steps = (horizon + 1) * (states * (len(types) + len(prompts) + 2) + len(types) * levels)
    if horizon < 1:
        raise Refused("proof.second_moments: is empty")
    budget.spend(steps)
    budget.hold(LARGE * (3 * states + 4 * (horizon + 1) * (len(types) + len(prompts) + levels)))
    moments = series(proof["second_moments"], horizon, 0, "proof.second_moments")
    rest = list(accumulate(reversed([*moments, 0])))[::-1]
    given = named(proof["start"], 0, horizon, -MAX_NUMBER, "proof.start")
    if list(given) != prompts:
        raise Refused("proof.start: must name each prompt once, ascending")
    starts = {s: [p - s * s * r for p, r in zip(row, rest[1:])] for s, row in given.items()}
    value = 0
    covers = []  # (m, sum of the duals of all rows before u, for each u)
    for m, row in named(proof["covers"], 1, horizon, 0, "proof.covers").items():
        covers.append((m, [0, *accumulate(row)]))
        value -= m * sum(row)
    duals = read_duals(types, proof["duals"], "proof.duals")
    for (s, o), dual in duals.items():
        if dual > scale * (horizon + o):
            entry = [s, o, dual]
            raise Refused(f"proof.duals: is more than a late completion costs, got {short(entry)}")

    end = 0
    completions = []
    for (s, o), count in sorted(types.items()):
        value += count * duals[s, o]
        runs = [scale * (u + o) - duals[s, o] - p for u, p in enumerate([*given[s], 0])]
        for m, sums in covers:
            runs = covered(memory, smallest, (s, o), m, runs, sums)
        end = min([end, *runs[max(0, horizon + 1 - o) :]])
        costs = [c + (s + o) ** 2 * r for c, r in zip(runs, rest[o:])]
        completions.append(Completions(s + o, o, costs))
    return Program(
        memory, smallest + 1, running, horizon, value, starts, moments, rest, completions, end
    )


def named(value: Any, least: int, length: int, low: int, place: str) -> dict[int, list[int]]:
    """Return lists of integers by their prompts or levels, which increase from `least` on."""
    result: dict[int, list[int]] = {}
    for entry in listed(value, place):
        if len(listed(entry, place)) != 2:
            raise Refused(f"{place}: must hold pairs of a number and a list, got {short(entry)}")
        if integer(entry[0], 0, MAX_TOKENS, place) < least:
            raise Refused(f"{place}: must increase from {least} on, got {short(entry)}")
        result[entry[0]] = series(entry[1], length, low, place)
        least = entry[0] + 1
    return result


def cheapest_path(program: Program) -> int:
    """Return the cost of the cheapest path, times the scale."""
    memory, unit, running, horizon, _, starts, moments, rest, completions, end = program
    # No path costs `far` / 2 or more, or less than -`far` / 2; states without path have about far.
    tables = [*starts.values(), *(one.costs for one in completions)]
    largest = max(abs(p) for row in tables for p in row)
    each = running * (2 * largest - end) + (rest[0] + 1) * (memory * memory + 2 * memory + running)
    far = 4 * (horizon + 1) * each
    # fits[k]: who can complete and leave k behind.  squares[k - 1][w]: the least sum of squares,
    # that of w % k numbers w // k + 1 and k - w % k numbers w // k.
    fits = [[one for one in completions if k * unit + one.peak <= memory] for k in range(running)]
    squares = [
        [(k - w % k) * (w // k) ** 2 + w % k * (w // k + 1) ** 2 for w in range(memory + 1)]
        for k in range(1, running + 1)
    ]
    state = [[far] * (memory + 1) for _ in range(running + 1)]  # state[K][W], its cheapest path
    state[0][0] = 0
    best = far
    for t in range(horizon + 1):
        complete(state, fits, unit, memory, t)
        if t > 0:
            best = min(best, state[0][0])
        if t == horizon:
            break
        if dual := moments[t]:
            for k, least in enumerate(squares, start=1):
                state[k] = [a + dual * b for a, b in zip(state[k], least)]
        begin(state, starts, unit - 1, memory, t)
        for k, row in enumerate(state):  # from W to W + K; none stays empty
            low, p = k * (unit - 1), rest[t + 1]
            grown = [
                a - p * (2 * w + k) for w, a in enumerate(row[low : memory + 1 - k], start=low)
            ]
            state[k] = [far] * (low + k) + grown if k else [far] * (memory + 1)
    return min([best, *(min(row) + k * end for k, row in enumerate(state) if k)])


def complete(
    state: list[list[int]], fits: list[list[Completions]], unit: int, memory: int, t: int
) -> None:
    """Let any number complete at time t."""
    for k in range(len(state) - 2, -1, -1):
        row, above, low = state[k], state[k + 1], k * unit
        for peak, output, costs in fits[k]:
            if output <= t:
                high, c = (memory + 1 - peak if k else 1), costs[t - output]
                through = [b + c for b in above[low + peak : high + peak]]
                row[low:high] = [a if a < b else b for a, b in zip(row[low:high], through)]


def begin(
    state: list[list[int]], starts: dict[int, list[int]], smallest: int, memory: int, t: int
) -> None:
    """Let any number start at time t."""
    for k in range(len(state) - 1):
        for s, costs in starts.items():
            low, high, p = k * smallest, memory - k - s, costs[t]
            if low < high:
                row = state[k + 1]
                through = [b + p for b in state[k][low:high]]
                row[low + s : high + s] = [
                    a if a < b else b for a, b in zip(row[low + s : high + s], through)
                ]
