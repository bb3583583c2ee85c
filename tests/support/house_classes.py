"""The house rules about classes, which need the whole package to be seen at once."""

import ast
from collections.abc import Iterable, Iterator

from house_rules import nodes

PARTS_WITH_SETTINGS = {"Encoder", "Objective", "ClosedForm"}

Classes = dict[str, ast.ClassDef]


def classes_of(trees: Iterable[ast.Module]) -> Classes:
    """Every class of the package by name."""
    found = (node for tree in trees for node in nodes(tree) if isinstance(node, ast.ClassDef))
    return {node.name: node for node in found}


def parents(name: str, classes: Classes) -> list[str]:
    """The bases of a class that are our own."""
    bases = [ast.unparse(base).split("[")[0].split(".")[-1] for base in classes[name].bases]
    return [base for base in bases if base in classes]


def depth(name: str, classes: Classes) -> int:
    """1 for a class that inherits from none of ours, one more for each generation."""
    return 1 + max((depth(parent, classes) for parent in parents(name, classes)), default=0)


def is_part(name: str, classes: Classes) -> bool:
    """Whether a class is an encoder or an objective."""
    return name in PARTS_WITH_SETTINGS or any(is_part(p, classes) for p in parents(name, classes))


def too_deep(classes: Classes) -> Iterator[tuple[ast.ClassDef, str]]:
    """An abstract class, then final ones: to vary one, pass another part in."""
    for name, node in classes.items():
        if depth(name, classes) > 2:
            yield node, f"{name} is {depth(name, classes)} generations deep, wanted at most 2"


def settings_not_kept(classes: Classes) -> Iterator[tuple[ast.ClassDef, str]]:
    """The signature is the configuration: keyword-only, at most 6, each under its own name."""
    for name, node in classes.items():
        if is_part(name, classes):
            complaints = _of_dataclass(node) if _is_dataclass(node) else _of_constructor(node)
            yield from ((node, f"{name} {complaint}") for complaint in complaints)


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in ast.unparse(d) for d in node.decorator_list)


def _of_dataclass(node: ast.ClassDef) -> Iterator[str]:
    if not any("kw_only=True" in ast.unparse(d) for d in node.decorator_list):
        yield "is a dataclass that takes positions: add kw_only=True"
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    if len(fields) > 6:
        yield f"has {len(fields)} arguments, wanted at most 6: a part is missing"


def _of_constructor(node: ast.ClassDef) -> Iterator[str]:
    for init in node.body:
        if isinstance(init, ast.FunctionDef) and init.name == "__init__":
            if len(init.args.posonlyargs + init.args.args) > 1 or init.args.vararg:
                yield "takes positions: put * after self"
            wanted = [argument.arg for argument in init.args.kwonlyargs]
            if len(wanted) > 6:
                yield f"has {len(wanted)} arguments, wanted at most 6: a part is missing"
            for argument in set(wanted) - set(_kept(init)) - set(_properties(node)):
                yield f"does not keep its argument {argument}: write self.{argument} = ..."


def _properties(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and "property" in map(
            ast.unparse, item.decorator_list
        ):
            yield item.name


def _kept(init: ast.FunctionDef) -> Iterator[str]:
    for node in nodes(init):
        written = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if written and ast.unparse(node.value) == "self":
            yield node.attr
