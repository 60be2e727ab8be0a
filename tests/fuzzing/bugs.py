"""Realistic faults, written by hand: each replaces one snippet of one module.

The snippet must be found exactly once; if not, the harness stops and lists what must be rewritten.
Most say what an operator of `operators` does not: another formula, a forgotten case.
"""

from __future__ import annotations

from collections.abc import Mapping

from fuzzing.operators import Plant

__all__ = ["BUGS", "StaleBug", "hand_written"]


class StaleBug(Exception):  # noqa: N818  # says what is to be rewritten
    """Some snippets are no longer in the checker."""


BUGS: tuple[tuple[str, str, str], ...] = (
    # instances: the schedule, the hash, the reading of requests
    ("instances", "to_begin[-1][0] < end", "to_begin[-1][0] < end - 1"),
    ("instances", "constant -= prompt - start", "constant -= prompt"),
    ("instances", "constant += first[2] - first[0]", "constant += first[2] - first[0] - 1"),
    ("instances", "constant + number * end)", "constant + number * (end - 1))"),
    ("instances", "latency += start + output - release", "latency += start + output - 1"),
    ("instances", "sorted(runs, key=lambda run: run[1])", "sorted(runs)"),
    ("instances", "types[prompt, output] = types.get((prompt, output), 0) + count",
     "types[prompt, output] = count"),
    ("instances", 'integer(entry["output"], 1, memory - prompt,',
     'integer(entry["output"], 1, memory,'),
    ("instances", 'entry.get("count", 1)', 'entry.get("counts", 1)'),
    ("instances", "map(str, numbers[:length])", "map(str, sorted(numbers[:length]))"),
    # claims
    ("claims", 'if given["instance_sha256"] != (right := digest(instance)):',
     'if (right := digest(instance)) == "":'),
    ("claims", "if found < low:", "if found < low - 1:"),
    ("claims", "if high != cost:", "if high < cost:"),
    ("claims", "if low > high:", "if low > high + 1:"),
    ("claims", "if instance.has_releases:", "if not instance.has_releases and low < 0:"),
    ("claims", "found = RULES[rule](instance.memory, instance.types, low, proof, budget)",
     "found = RULES[rule](instance.memory, dict(list(instance.types.items())[-1:]), low, proof, budget)"),
    # reading
    ("reading", "if type(value) is not int or not low <= value <= high:",
     "if not isinstance(value, int) or not low <= value <= high:"),
    ("reading", "if len(result := dict(pairs)) < len(pairs):",
     "if len(result := dict(pairs)) < 0:"),
    ("reading", "row[:-1] >= following[:-1]", "row[:-1] > following[:-1]"),
    ("reading", "if list(duals) != sorted(types) or len(duals) != len(given):",
     "if sorted(duals) != sorted(types):"),
    ("reading", "if key not in required and key not in optional:", "if key in optional and key == 0:"),
    ("reading", "integer(number, 0, MAX_NUMBER, place)", "integer(number, -MAX_NUMBER, MAX_NUMBER, place)"),
    # busy time
    ("busy_time", "unit = min(prompt for prompt, _ in types) + 1",
     "unit = max(prompt for prompt, _ in types) + 1"),
    ("busy_time", "o * (o + 1) // 2, 6 *", "o * (o + 1) // 2, 5 *"),
    ("busy_time", "q = 1 + (memory - s - done - 1) // unit", "q = 1 + (memory - s - done - 2) // unit"),
    ("busy_time", "end = min(o, memory - s - (q - 1) * unit)", "end = min(o, memory - s - q * unit + 1)"),
    ("busy_time", "doubled += weight * count * (count + 2 * larger)",
     "doubled += weight * count * (count + 1 + 2 * larger)"),
    ("busy_time", "sorted(weights, reverse=True)", "sorted(weights)"),
    ("busy_time", "capacity = math.lcm(*range(1, memory // unit + 1))",
     "capacity = math.prod(range(1, memory // unit))"),
    # packing
    ("packing", "sum((s + j + 1) << (width * j) for j in range(o))",
     "sum((s + j) << (width * j) for j in range(o))"),
    ("packing", "ones * (top - 1 - memory)", "ones * (top - memory)"),
    ("packing", "longest = max(o for _, o in kinds)", "longest = max(s for s, _ in kinds) + 1"),
    # linear duals
    ("linear_duals", "-(-excess // m)", "excess // m + 1"),
    ("linear_duals", "excess = s + o + m * (smallest + o) - memory",
     "excess = s + o + m * (s + o) - memory"),
    ("linear_duals", "(*above, (until, -1, -(most + 1)))", "(*above, (until, -1, -(most + 2)))"),
    ("linear_duals", "value -= dual * m\n    value", "value -= dual\n    value"),
    ("linear_duals", "value -= dual * most", "value -= dual * abs(most)"),
    ("linear_duals", "ends[time - 1] += pay", "ends[time - 1] = pay"),
    ("linear_duals", "smallest = min(s for s, _ in types)\n\n", "smallest = max(s for s, _ in types)\n\n"),
    ("linear_duals", "sums[by:] + sums[-1:] * min(by, len(sums))",
     "sums[by:] + sums[-1:] * by + [0]"),
    ("linear_duals", "lowest = bound if lowest is None else min(lowest, bound)", "lowest = bound"),
    ("linear_duals", "steps[m][u + 1] = dual", "steps[m][u] = dual"),
    ("linear_duals", "last = max([last, *(family.last for family in families)])",
     "last = max([last, *(family.last - 1 for family in families)])"),
    ("linear_duals", "[{} for _ in families]", "[{}] * len(families)"),
    # least costs of linear duals, where rows are few
    ("linear_duals", "for x in (r - o, r)}", "for x in (r,)}"),
    ("linear_duals", "for x in (first - 1, first)}:", "for x in (first,)}:"),
    ("linear_duals", "for x in (u - d + 1, u + 1)}", "for x in (u + 1,)}"),
    ("linear_duals", "total[bisect_right(at, t + d - 1)]", "total[bisect_right(at, t + d)]"),
    ("linear_duals", "for time, pay in until if t < time", "for time, pay in until if t <= time"),
    ("linear_duals", "bisect_right(rounds, t + o)", "bisect_right(rounds, t + o + 1)"),
    ("linear_duals", "value -= memory * sum(p for _, p in on_memory) +",
     "value -= (memory - 1) * sum(p for _, p in on_memory) +"),
    ("linear_duals", "sum(m * p for m, _, p in on_covers)", "sum(p for m, _, p in on_covers)"),
    ("linear_duals", "| {time for time, _ in until}", ""),
    # first completion
    ("first_completion", "< heights[-1][1]:", "< 0:"),
    ("first_completion", "if not heights or heights[0][0] > 0 or not duals:",
     "if not heights or not duals:"),
    ("first_completion", "any((q - p) % (v - u) for", "any((q - p) % 1 for"),
    ("first_completion", "x, h in heights[: i + 1])", "x, h in heights[:1])"),
    ("first_completion", "x, h in heights[: i + 1])", "x, h in heights[: i or 1])"),
    ("first_completion", "x, h in heights[: i + 1])", "x, h in heights)"),
    ("first_completion", "known[b] = min((b + x) * h for x, h in heights)",
     "known[b] = min((b + x) * h for x, h in heights[:-1] or heights)"),
    ("first_completion", "known[b] = min((b + x) * h for x, h in heights)",
     "known[b] = b * heights[0][1]"),
    ("first_completion", "if b not in known:", "if r not in known:"),
    ("first_completion", "memory * (height - low)", "(height - low)"),
    ("first_completion", "memory * (height - low)", "memory * height"),
    ("first_completion", "least - memory * (height - low)", "least - (memory - s) * (height - low)"),
    ("first_completion", "found.append(max(0, least -", "found.append(max(0, least + 1 -"),
    ("first_completion", "found.append(max(0, least - memory * (height - low)))",
     "found.append(least - memory * (height - low))"),
    ("first_completion", "b = s + o - r\n", "b = s + o - r + 1\n"),
    ("first_completion", "sum(memory * family.low * family.sum()", "sum((memory - 1) * family.low * family.sum()"),
    ("first_completion", "sum(memory * family.low * family.sum()", "sum(family.low * family.sum()"),
    ("first_completion", "return sum(memory * family.low * family.sum() for family in families)",
     "return max([memory * family.low * family.sum() for family in families], default=0)"),
    ("first_completion", "halves = sum((v - u) * (p + q)", "halves = sum((v - u - 1) * (p + q)"),
    ("first_completion", "halves + self.duals[0][1] + self.duals[-1][1]",
     "halves + self.duals[0][1]"),
    ("first_completion", "(self.duals[0][0] - 1, 0)", "(self.duals[0][0], 0)"),
    ("first_completion", "(self.duals[0][0] - 1, 0), *self.duals,", "*self.duals,"),
    ("first_completion", "*self.duals, (self.last + 1, 0)]", "*self.duals]"),
    ("first_completion", "for (u, _), before, after in zip(line, slopes, slopes[1:])",
     "for (u, _), before, after in zip(line[1:], slopes, slopes[1:])"),
    ("first_completion", "first = max(0, u - o)", "first = max(0, u - o + 1)"),
    ("first_completion", "first = max(0, u - o)", "first = max(1, u - o)"),
    ("first_completion", "a[first - u + o :]", "a"),
    ("first_completion", "if family.knots else family.duals:", "if not family.knots else family.duals:"),
    ("first_completion", "sums = bent if family.knots else direct", "sums = direct"),
    ("first_completion", "reversed(bent[1:])", "reversed(bent)"),
    ("first_completion", "backwards = [0, *accumulate(accumulate(reversed(bent[1:])))]",
     "backwards = [0, 0, *accumulate(accumulate(reversed(bent[1:])))]"),
    # propagation
    ("propagation", "spare = (cutoff - 1) * scale - total", "spare = (cutoff - 2) * scale - total"),
    ("propagation", "runs = [(b, a + o, s) for", "runs = [(a, a + o, s) for"),
    ("propagation", "others = [other for other in requests if other != place]",
     "others = requests"),
    ("propagation", "if sign > 0 and j >= most:", "if sign > 0 and j >= most - 1:"),
    ("propagation", "elif sign < 0 and j < -most:", "elif sign < 0 and j < -most + 1:"),
    ("propagation", "windows[kind, j] = (low, min(high, time - 1))",
     "windows[kind, j] = (low, min(high, time - 2))"),
    ("propagation", "last = max(first, 0), min(last, horizon - 1)",
     "last = max(first, 0), min(last, horizon)"),
    ("propagation", "lowest = min(lowest, bound)", "lowest = max(bound, min(lowest, cutoff))"),
    ("propagation", "min(r - 1, s + r + used - memory - 1)", "min(r - 1, s + r + used - memory)"),
    ("propagation", "bytearray(map(max, fits[kind], own)) if types[kind] > 1 else own", "own"),
    ("propagation", "used + number * (after - 1 - r) > memory - s - o",
     "used + number * (after - r) >= memory - s - o"),
    # aggregate state
    ("aggregate_state", "end = min([end, *runs[max(0, horizon + 1 - o) :]])", "end = 0"),
    ("aggregate_state", "if dual > scale * (horizon + o):", "if dual > 2 * scale * (horizon + o):"),
    ("aggregate_state", "running = min(sum(types.values()), memory // (smallest + 1))",
     "running = min(len(types), memory // (smallest + 1))"),
    ("aggregate_state", "p - s * s * r for p, r in zip(row, rest[1:])",
     "p - s * s * r for p, r in zip(row, rest)"),
    ("aggregate_state", "c + (s + o) ** 2 * r", "c + (s + o) ** 2 * r + r"),
    ("aggregate_state", "a - p * (2 * w + k)", "a - p * (2 * w)"),
    ("aggregate_state", "w % k * (w // k + 1) ** 2", "w % k * (w // k + 2) ** 2"),
    ("aggregate_state", "value -= m * sum(row)", "value -= sum(row)"),
    ("aggregate_state", "low, p = k * (unit - 1), rest[t + 1]", "low, p = k * unit, rest[t + 1]"),
    # batch state
    ("batch_state", "if duals.most[0] > scale * horizon:", "if duals.most[0] > 2 * scale * horizon:"),
    ("batch_state", "last = (duals[0] + slack) // scale", "last = (duals[0] + slack) // scale - 1"),
    ("batch_state", "if below - begun > slack:", "if below - begun > slack + 2 * scale:"),
    ("batch_state", "below = scale * (low - 1) - value", "below = scale * (low - 2) - value"),
    ("batch_state", "if cost < after.get(one := before[batch], MAX_COST):", "if (one := before[batch]) not in after:"),
    ("batch_state", "scale * t - duals[ranks] <= slack", "scale * t - duals[ranks] < slack"),
    ("batch_state", "(new := who - unit) & guards == guards", "(new := who - unit) >= 0"),
    ("batch_state", "place += count.bit_length()", "place += 1"),
    ("batch_state", "if more <= most and (new", "if more < most and (new"),
    ("batch_state", "for one in found if before[one] == 0], default=0)", "for one in found], default=0)"),
    ("batch_state", "for one in found if before[one] == 0], default=0)", "for one in found if before[one] == 0], default=scale)"),
    ("batch_state", "kinds = sorted(prices, key=lambda kind: -prices[kind][-1][1])", "kinds = list(prices)"),
    ("batch_state", "< (known := costs[one]):", "> (known := costs[one]) or known == MAX_COST:"),
    ("batch_state", "most = below - following[new]", "most = below - following[new] - 1"),
    ("batch_state", "if t + 1 == len(kept):", "if t + 2 == len(kept):"),
    ("batches", "if b > s + 1)", "if b > s + 2)"),
    ("batches", "self.memory - sum(b for b, _ in batch)", "self.memory - sum(b for b, _ in batch) - 1"),
    ("batches", "if state[0] <= room:", "if state[0] < room:"),
    ("batches", "self.tried[one] = ranks", "self.tried[one] = ranks + 1"),
    ("batches", "tuple(sorted((*batch, state)))", "(*batch, state)"),
    ("batches", "self.after[before].append(new)", "self.after[before] = [new]"),
    # profile graph, demand duals, blocks
    ("profile_graph", "end = (dual - scale * o) // scale",
     "end = (dual - scale * o) // scale - 1"),
    ("profile_graph", "max((profile >> place) & field, later + 1 if later else 0)",
     "max((profile >> place) & field, later + 2 if later else 0)"),
    ("profile_graph", "later = used if used + least <= memory else memory",
     "later = used if used + least < memory else memory"),
    ("profile_graph", "shortest, least = min(o for _, o in chosen)",
     "shortest, least = max(o for _, o in chosen)"),
    ("profile_graph", "pays = [t for t, cost in enumerate(costs[s, o]) if cost <= dual]",
     "pays = [t for t, cost in enumerate(costs[s, o]) if cost < 0]"),
    ("profile_graph", "drained = max([t + o for (_, o), t in last.items() if 0 <= t < end], default=0)",
     "drained = begin"),
    ("profile_graph", "(*started[:j], started[j] + 1, *started[j + 1 :])",
     "(*started[:j], 1, *started[j + 1 :])"),
    ("profile_graph", "open_choices.append((used + shapes[j], more, j))",
     "open_choices.append((used + shapes[j], more, j + 1))"),
    ("blocks", "if rest or not all(blocks):", "if not all(blocks):"),
    ("blocks", "rest.pop((s, o))", "rest.get((s, o))"),
    # exhaustive
    ("exhaustive", "if profile in done.setdefault(waiting, set()):",
     "if any(profile & other == other for other in done.setdefault(waiting, set())):"),
    ("exhaustive", "now - (room - area) // memory", "now + 1 - (room - area) // memory"),
    ("exhaustive", "if after + to_come(rest, used >> width) < target:",
     "if after + to_come(rest, used >> width) + 1 < target:"),
    ("exhaustive", "for number in range(count + 1):", "for number in range(min(count, 2) + 1):"),
    ("exhaustive", "room += memory - (profile & field)", "room += memory - (profile & field) - 1"),
    ("exhaustive", "after = cost + sum(rest)", "after = cost + sum(rest) + (not used)"),
    ("exhaustive", "return max(completions, alone) - outputs", "return completions + alone - outputs"),
    # slices
    ("slices", "range(-(-slice * q // p))", "range(slice * q // p)"),
    ("slices", "prompt + slice - j * p // q", "prompt + slice - (j * p // q + 1)"),
    ("slices", "d * d / (pivot - d)", "d / (pivot - d)"),
    ("slices", "sums[t + 1]", "sums[t]"),
    ("slices", "extra = before - distance / 2 - factor / 2", "extra = before - distance - factor / 2"),
    ("slices", "(memory + 1 - j) // (prompt + 1)", "(memory - j) // (prompt + 1)"),
    ("slices", "before += slice - distance", "before = slice - distance"),
)  # fmt: skip


def hand_written(sources: Mapping[str, str]) -> list[Plant]:
    """Return the faults as plants.

    Raises
    ------
    StaleBug
        If a snippet is not found exactly once in its module.
    """
    found, stale = [], []
    for module, before, after in BUGS:
        source = sources.get(module, "")
        if source.count(before) != 1:
            stale.append(f"{module}: found {source.count(before)} times: {before}")
            continue
        line = source[: source.index(before)].count("\n") + 1
        new = source.replace(before, after)
        found.append(Plant(module, line, "", "by hand", before, after, new))
    if stale:
        raise StaleBug("rewrite these in tests/fuzzing/bugs.py:\n" + "\n".join(stale))
    return found
