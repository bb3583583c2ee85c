"""Types and shapes of our own functions, checked on the first calls in each test.

An import hook puts :func:`checked` beneath the other decorators of every function of the package.
Each call then has one context of axis letters, in which beartype checks the arguments and the
result: a letter stands for one size from the first argument to the result. What a test calls more
often than :data:`ENOUGH` times is no longer checked in it: checks would take a quarter of the time.
"""

import ast
import inspect
import sys
from collections.abc import Callable
from functools import wraps
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import TypeCheckError, config, jaxtyped

Function = Callable[..., Any]
NAME = "_checked_calls"
"""How the decorator is called in the modules that it is put into."""

ENOUGH = 10
"""Calls of each function that are checked in a test."""
begun = [0]
"""How many tests have begun."""

with_types = beartype(conf=BeartypeConf(violation_type=TypeCheckError))


def begin_test() -> None:
    """Every function is checked anew."""
    begun[0] += 1


def checked(function: Function) -> Function:
    """The function, checked on its first calls in each test; the check is made at the first one."""
    made: list[Function] = []
    test, calls = -1, 0

    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        nonlocal test, calls
        if config.jaxtyping_disable:
            return function(*args, **named)
        if test != begun[0]:
            test, calls = begun[0], 0
        calls += 1
        if calls > ENOUGH:
            return function(*args, **named)
        if not made:
            made.append(check_of(function))
        return made[0](*args, **named)

    return call


def check_of(function: Function) -> Function:
    """The function with its check, made by beartype or, where that cannot, by jaxtyping.

    That is where sizes are named by arguments (``{T}``), where a type is written as a text, whose
    names may be there for mypy alone, and for generators, whose bodies run after the call.
    """
    hints = list(inspect.get_annotations(function).values())
    as_text = any(isinstance(hint, str) for hint in hints)
    if as_text or "{" in str(hints) or inspect.isgeneratorfunction(function):
        return jaxtyped(function, typechecker=with_types)
    return in_context(with_types(function)) if "jaxtyping." in str(hints) else with_types(function)


def in_context(function: Function) -> Function:
    """A function whose letters stand for sizes of their own in each call."""

    def call(*args: Any, **named: Any) -> Any:
        with jaxtyped("context"):
            return function(*args, **named)

    return call


def checked_fields(kind: type) -> type:
    """A class, what it is made from checked where it is a dataclass."""
    if "__dataclass_fields__" in vars(kind) and "__init__" in vars(kind):
        kind.__init__ = checked(kind.__init__)
    return kind


class Decorated(ast.NodeTransformer):
    """Every function and class of a module with its decorator."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Innermost: other decorators get what is checked."""
        node.decorator_list.append(decorator("checked", node))
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Outermost: after ``@dataclass``."""
        node.decorator_list.insert(0, decorator("checked_fields", node))
        self.generic_visit(node)
        return node


def decorator(name: str, node: ast.stmt) -> ast.expr:
    """One of the functions above, as if written on top of a definition."""
    made = ast.copy_location(ast.parse(f"{NAME}.{name}", mode="eval").body, node)
    ast.copy_location(made.value, node)
    return made


class CheckedLoader(SourceFileLoader):
    """Loads a module with its decorators; compiled ones have files of their own."""

    def source_to_code(self, data, path, *, _optimize=-1):
        """The code of the module with its decorators."""
        return super().source_to_code(Decorated().visit(ast.parse(data)), path, _optimize=_optimize)

    def exec_module(self, module) -> None:
        """Runs the module, which finds the decorators under ``NAME``."""
        vars(module)[NAME] = sys.modules[__name__]
        super().exec_module(module)

    def get_data(self, path):
        """What is in a file."""
        return super().get_data(apart(path))

    def set_data(self, path, data, *, _mode=0o666) -> None:
        """Keeps the compiled module."""
        super().set_data(apart(path), data, _mode=_mode)


def apart(path: str) -> str:
    """Where a module with checks is kept compiled; another number where they are put anew."""
    return path.removesuffix("pyc") + "checked-1.pyc" if path.endswith(".pyc") else path


class CheckedCalls:
    """Finds the modules of the package, all but those whose functions numba compiles."""

    @staticmethod
    def find_spec(fullname, path=None, target=None) -> ModuleSpec | None:
        """The module with checks if it is one of ours, else None: the next finder's turn."""
        ours = fullname.partition(".")[0] == "selftime" and not fullname.endswith("_numba")
        spec = PathFinder.find_spec(fullname, path, target) if ours else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = CheckedLoader(spec.loader.name, spec.loader.path)
        return spec
