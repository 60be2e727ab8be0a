"""Faults put into source by rule: each operator changes one thing in one place of a module."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Plant", "plants"]


@dataclass(frozen=True)
class Plant:
    """A fault: the whole source of a module with it, and what it is."""

    module: str
    line: int
    where: str
    """Name of the function, or empty."""
    operator: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """A name that outlives the moving of lines."""
        return f"{self.module} {self.where} | {self.operator} | {self.before} -> {self.after}"


COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE,),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE,),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COMPREHENSIONS = (ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
OPPOSITE: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
}


def plus(node: ast.expr, by: int) -> ast.expr:
    return ast.BinOp(node, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))


def negated_floor(node: ast.AST) -> bool:
    """Tell whether a node is -(-a // b)."""
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.BinOp)
        and isinstance(node.operand.op, ast.FloorDiv)
        and isinstance(node.operand.left, ast.UnaryOp)
    )


def expression_changes(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield changed copies of an expression."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for other in COMPARISONS.get(type(op), ()):
                new = copy.deepcopy(node)
                new.ops[i] = other()
                yield "comparison", new
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield "constant + 1", ast.Constant(node.value + 1)
        yield "constant - 1", ast.Constant(node.value - 1)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in SWAPPED:
            new_call = copy.deepcopy(node)
            new_call.func = ast.Name(SWAPPED[node.func.id], ast.Load())
            yield "min / max / any / all", new_call
        if node.func.id == "range":
            for by in (1, -1):
                new_call = copy.deepcopy(node)
                last = 1 if len(node.args) > 1 else 0
                new_call.args[last] = plus(new_call.args[last], by)
                yield f"range {by:+}", new_call
        if any(word.arg == "reverse" for word in node.keywords):
            new_call = copy.deepcopy(node)
            new_call.keywords = [word for word in node.keywords if word.arg != "reverse"]
            yield "reverse dropped", new_call
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", node.operand
    elif negated_floor(node):
        assert isinstance(node, ast.UnaryOp)
        inner = node.operand
        assert isinstance(inner, ast.BinOp) and isinstance(inner.left, ast.UnaryOp)  # noqa: PT018
        yield "ceil to floor", ast.BinOp(inner.left.operand, ast.FloorDiv(), inner.right)
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.FloorDiv) and not isinstance(node.left, ast.UnaryOp):
            inner = ast.BinOp(ast.UnaryOp(ast.USub(), node.left), ast.FloorDiv(), node.right)
            yield "floor to ceil", ast.UnaryOp(ast.USub(), inner)
        if type(node.op) in OPPOSITE:
            yield "arithmetic", ast.BinOp(node.left, OPPOSITE[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield (
            "and / or",
            ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values),
        )
        for i in range(len(node.values)):
            rest = node.values[:i] + node.values[i + 1 :]
            yield "operand dropped", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper"):
            if (bound := getattr(node, name)) is not None:
                for by in (1, -1):
                    new_slice = copy.copy(node)
                    setattr(new_slice, name, plus(bound, by))
                    yield f"slice {by:+}", new_slice
    elif isinstance(node, ast.IfExp):
        yield "always this", node.body
        yield "always that", node.orelse
    elif isinstance(node, COMPREHENSIONS) and any(one.ifs for one in node.generators):
        new_comp = copy.deepcopy(node)
        for one in new_comp.generators:
            one.ifs = []
        yield "filter dropped", new_comp


def statement_changes(node: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Yield changed copies of a statement."""
    if isinstance(node, ast.Raise | ast.AugAssign | ast.Continue | ast.Break):
        yield f"{type(node).__name__.lower()} dropped", ast.Pass()
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call dropped", ast.Pass()
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield "assignment dropped", ast.Pass()
    elif isinstance(node, ast.If) and not any(isinstance(x, ast.Raise) for x in node.body):
        for value in (True, False):
            new = copy.copy(node)
            new.test = ast.Constant(value)
            yield f"if {value}", new


NOT_PLANTED = ("budget", "limits")
"""Modules that are about nothing else than work."""

WORK = ("steps", "looked_at", "spend", "work", "left", "budget")
"""Names that count work, which limits only what is refused as too much."""


def about_work(node: ast.AST) -> bool:
    """Tell whether an expression is about limits of work."""
    names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    names += [n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)]
    return any(name.startswith("MAX_") or name in WORK for name in names)


def skipped(node: ast.AST) -> bool:
    """Tell whether a node is left as it is: limits of work, and the words of refusals."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name in ("short", "Work", "Budget", "__str__")
    if isinstance(node, ast.If) and any(isinstance(x, ast.Raise) for x in node.body):
        return about_work(node.test) and not node.orelse
    if isinstance(node, ast.AugAssign):
        return about_work(node.target)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
        return any(map(about_work, node.targets))
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Call) or about_work(node.value.func)
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id.startswith("MAX_")
    return False


def plants(module: str, source: str) -> Iterator[Plant]:
    """Yield every fault that the operators make in a module; its key shows the statement."""
    if module in NOT_PLANTED:
        return
    tree = ast.parse(source)
    seen: dict[str, int] = {}
    for parent, field, index, node, where, statement in walk(tree, "", None):
        if skipped(node) and not isinstance(node, ast.Raise):
            continue
        changes: list[tuple[str, ast.AST]] = [*expression_changes(node), *statement_changes(node)]
        for operator, new in changes:
            before = head(statement or node)
            put(parent, field, index, new)
            after = head(new if statement in (None, node) else statement)
            text = ast.unparse(ast.fix_missing_locations(tree))
            put(parent, field, index, node)
            plant = Plant(module, line_of(node), where, operator, before, after, text)
            number = seen[plant.key] = seen.get(plant.key, 0) + 1
            if number > 1:
                operator = f"{operator}, place {number}"
                plant = Plant(module, line_of(node), where, operator, before, after, text)
            yield plant


def head(node: ast.AST | None) -> str:
    """Return an expression, or the first line of a statement."""
    if node is None:
        return ""
    return ast.unparse(ast.fix_missing_locations(node)).splitlines()[0]


def line_of(node: ast.AST) -> int:
    return min((n.lineno for n in ast.walk(node) if hasattr(n, "lineno")), default=0)


def put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


Place = tuple[ast.AST, str, "int | None", ast.AST, str, "ast.stmt | None"]


def walk(node: ast.AST, where: str, statement: ast.stmt | None) -> Iterator[Place]:
    """Yield all that may be changed: parent, field, index, node, function, statement around it."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = f"{where}.{node.name}".lstrip(".")
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "op", "ops", "ctx"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                around = child if isinstance(child, ast.stmt) else statement
                yield node, field, index, child, where, around
                if not skipped(child):
                    yield from walk(child, where, around)
