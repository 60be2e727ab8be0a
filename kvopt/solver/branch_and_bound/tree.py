"""The tree of branch and bound on start times: for few requests whose runs are long.

Nodes are split by how many requests of a type start before a time.  A node has duals, rounded
and evaluated in integers, and domains: the starts that can still belong to a cheaper schedule
than the best one known.  A new node is first looked at with the duals of its parent; its own
linear program (`kvopt.solver.branch_and_bound.sparse_lp`) is solved when its turn comes.  What
comes out is a tree of duals that proofs/checker accepts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kvopt.model.instance import Instance, IntArray
from kvopt.model.stopping import Stopping
from kvopt.solver.branch_and_bound.branching import Split, middle_split, placed, spread_split
from kvopt.solver.branch_and_bound.propagation import (
    Propagated,
    full_domains,
    reduced_cost_fixing,
    timetabling,
)
from kvopt.solver.branch_and_bound.sparse_lp import FloatArray, SparseProgram
from kvopt.solver.params import BranchAndBoundParams
from kvopt.solver.relaxations.time_indexed import Branch, Duals, TimeIndexedProgram

__all__ = ["PropagationTree", "branch_and_bound"]


@dataclass(frozen=True, slots=True)
class PropagationTree:
    """A tree of duals and start-time domains, as it stands in a certificate.

    Parameters
    ----------
    nodes
        Splits and leaves in preorder, as JSON objects.
    scale
        The duals are multiples of 1 / scale.
    horizon
        Times from this one on are not told apart (rounds).
    cutoff
        Schedules that cost as much as this or more were not looked at (rounds).
    lower_bound
        The bound that the tree proves (rounds).
    """

    nodes: tuple[dict[str, Any], ...]
    scale: int
    horizon: int
    cutoff: int
    lower_bound: int

    def content(self) -> dict[str, Any]:
        """Return the object "proof" of a certificate of the bound."""
        return {
            "rule": "propagation",
            "scale": self.scale,
            "horizon": self.horizon,
            "cutoff": self.cutoff,
            "tree": list(self.nodes),
        }


@dataclass(slots=True, eq=False)
class _Node:
    """A node of the tree, with the best duals known for it and its domains."""

    branches: tuple[Branch, ...]
    inherited: Propagated  # what the duals of its parent prove
    proved: Propagated
    duals: Duals
    solution: FloatArray
    solved: bool = False  # whether its own program has been
    children: list[_Node] = field(default_factory=list)

    def forget(self) -> None:
        """Keep only what the tree is written from."""
        self.inherited = self.proved = Propagated(self.proved.bound, None)
        self.solution = np.zeros(0)


def branch_and_bound(
    instance: Instance,
    starts: IntArray,
    stop: Stopping,
    report: Callable[[int, IntArray], None] = lambda bound, starts: None,
    params: BranchAndBoundParams | None = None,
) -> PropagationTree | None:
    """Return a tree of duals that proves a good bound.

    On the way requests are placed in the order of their mean starts, each where it fits.

    Parameters
    ----------
    instance
        The instance, of few requests.
    starts
        Starts of a good schedule (rounds), shape (n,); gives the horizon and the first cutoff.
    stop
        How long it may take.
    report
        Called with the bound and the starts of the best schedule whenever one is better.
    params
        The tuning numbers.

    Returns
    -------
    PropagationTree or None
        None if not even the relaxation could be solved.
    """
    search = _Search(instance, starts, stop, params or BranchAndBoundParams())
    if search.root is None:
        return None
    known = counted = 0
    while True:
        bound, cost = search.bound(), search.cost
        if bound > known:
            known = bound
            report(known, search.starts)
        stop.count(search.nodes - counted)
        counted = search.nodes
        if bound >= cost or stop.over() or not search.step():
            break
        if search.cost < cost:
            report(known, search.starts)
    return search.tree()


class _Search:
    """Best first: the node whose bound is lowest is looked at next.

    Parameters
    ----------
    instance
        The instance.
    starts
        Starts of a good schedule (rounds), shape (n,).
    stop
        The first program may take so long, and at least a second.
    params
        The tuning numbers.
    """

    def __init__(
        self, instance: Instance, starts: IntArray, stop: Stopping, params: BranchAndBoundParams
    ) -> None:
        horizon = min(int((starts + instance.outputs).max()), instance.total_output)
        self.instance = instance
        self.params = params
        self.starts = starts
        self.cost = int(starts.sum()) + instance.total_output
        self.program = SparseProgram(instance, horizon, self.cost, params)
        self.program.highs.setOptionValue("time_limit", max(1.0, stop.left()))
        self.nodes = 1
        self.open: list[tuple[int, int, _Node]] = []
        self.root: _Node | None = None
        exact = self.program.exact
        memory = np.zeros(horizon + 1, dtype=np.int64)
        zero = Duals(memory, np.zeros((len(exact.levels), horizon), dtype=np.int64), ())
        nothing = Propagated(0, full_domains(exact))
        root = _Node((), nothing, nothing, zero, np.zeros(0))
        if self._solve(root, params.root_passes, params.root_rows):
            self.root = root
            self._push(root)

    def bound(self) -> int:
        """Return the bound that is proved so far (rounds)."""
        return min(self.open[0][0], self.cost) if self.open else self.cost

    def _push(self, node: _Node) -> None:
        """Keep a node for later, unless it cannot have a cheaper schedule."""
        if node.proved.bound < self.cost:
            heapq.heappush(self.open, (node.proved.bound, self.nodes, node))
        else:
            node.forget()
        self.nodes += 1

    def step(self) -> bool:
        """Look at a node: solve its program, or split it; tell whether anything came of it."""
        bound, _, node = heapq.heappop(self.open)
        params = self.params
        if not node.solved:
            solved = self._solve(node, params.node_passes, params.node_rows)
            if not solved or node.proved.bound == node.inherited.bound:
                self._solve(node, params.hard_passes, params.hard_rows, params.hard_violation)
            node.solved = True
            self._push(node)
            return True
        self._offer(placed(self.program, node.solution))
        split = spread_split(self.program, node.solution)
        if split is None:
            # Nearly a schedule: rows that are missing can prove more...
            self._solve(node, params.exact_passes, params.exact_rows, 0.0)
            # ...and so can smaller domains.
            split = middle_split(node.proved.domains, node.branches)
            if node.proved.bound > bound or split is None:
                self._push(node)
                return node.proved.bound > bound
        self._branch(node, split)
        return True

    def _offer(self, starts: IntArray) -> None:
        """Keep a schedule if it is cheaper."""
        if int(starts.sum()) < int(self.starts.sum()):
            self.starts = starts
            self.cost = int(starts.sum()) + self.instance.total_output

    def _branch(self, node: _Node, split: Split) -> None:
        """Split a node, and look at both children with its duals."""
        exact = self.program.exact
        self.program.add_split(split.type, split.before)
        own, domains = node.duals, node.proved.domains
        duals = Duals(own.memory, own.covers, (*own.branch, 0))
        assert domains is not None
        for below in (True, False):
            branch = Branch(((split.type, split.before),), split.at_most, below)
            branches = (*node.branches, branch)
            proved = Propagated(self.cost, None)
            fits = timetabling(exact, branches, domains)
            if fits is not None:
                proved = reduced_cost_fixing(exact, duals, branches, fits, self.cost)
                proved = Propagated(max(proved.bound, node.proved.bound), proved.domains)
            child = _Node(branches, proved, proved, duals, node.solution)
            node.children.append(child)
            self._push(child)
        node.forget()

    def _solve(self, node: _Node, passes: int, more: int, violation: float | None = None) -> bool:
        """Solve the program of a node, and keep the duals if they prove more."""
        program, domains = self.program, node.inherited.domains
        if domains is None:
            return False
        solution = program.solve(node.branches, domains, passes, more, violation)
        if solution is None:
            return False
        duals = program.duals(node.branches)
        proved = reduced_cost_fixing(program.exact, duals, node.branches, domains, self.cost)
        if proved.bound >= node.proved.bound:
            node.duals = duals
            node.proved = proved
        node.solved = True
        node.solution = solution
        return True

    def tree(self) -> PropagationTree:
        """Return the tree so far."""
        assert self.root is not None
        exact = self.program.exact
        nodes = tuple(_written(exact, self.root, None))
        return PropagationTree(nodes, exact.scale, exact.horizon, self.cost, self.bound())


def _written(
    exact: TimeIndexedProgram, node: _Node, parent: Duals | None
) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a tree in preorder, as in a certificate."""
    own = node.duals
    inherited = (
        parent is not None
        and own.memory is parent.memory
        and own.covers is parent.covers
        and own.branch == (*parent.branch, 0)
    )
    duals = {} if inherited else exact.leaf(own)
    split = exact.split(node.children[0].branches[-1]) if node.children else {}
    yield split | duals
    for child in node.children:
        yield from _written(exact, child, own)
