"""House rules that need the whole package at once: homes of names, small modules, participles."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

Trees = Mapping[Path, ast.Module]
Complaint = tuple[Path, int, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


IRREGULAR = words(
    "begun bent born borne bought bound bred broken brought built caught chosen dealt done drawn "
    "driven fallen felt flown forgotten found frozen given gone grown heard held hidden hung kept "
    "known laid learnt led left lent lost made meant met paid proven said seen sent shown slept "
    "sold sought spent spoken spun stood stuck sung sworn taken taught thought thrown told torn "
    "understood woken won worn woven written"
)
NOT_PARTICIPLES = words(
    "bed breed embed exceed feed hundred indeed need proceed red seed shed speed"
)
AFTER = words(
    "across again alone along apart around as at away back before behind beside between by down "
    "end for from in into like of off on once out over per since stepwise than through to together "
    "under until up with within without"
)


def is_participle(word: str) -> bool:
    """Whether a word says what was done: ``drawn``, ``scaled``; not ``seed`` or ``embed``."""
    return word in IRREGULAR or (word.endswith("ed") and word not in NOT_PARTICIPLES)


def is_bare_participle(name: str) -> bool:
    """Whether a name is a participle without its noun: ``drawn``, ``trained_by``, ``laid_out``."""
    first, *rest = name.strip("_").split("_")
    return is_participle(first) and (not rest or rest[0] in AFTER)


def is_transform(function: Function) -> bool:
    """Whether the result has the type of the first argument, or of the object itself."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    own = bool(arguments) and arguments[0].arg in ("self", "cls")
    types = [ast.unparse(a.annotation) for a in arguments[own:][:1] if a.annotation]
    result = ast.unparse(function.returns).strip("'") if function.returns else ""
    return result in [text.strip("'") for text in types] or (own and result[:1].isupper())


def is_answer(function: Function) -> bool:
    """Whether a function is a property, which says how a thing is."""
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def bare_participles(trees: Trees) -> Iterator[Complaint]:
    """Verbs act, nouns answer: a participle is for a transform alone."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if not isinstance(node, Function) or not is_bare_participle(node.name):
                continue
            if not is_transform(node) and not is_answer(node):
                yield path, node.lineno, f"{node.name} is a bare participle: use a verb or a noun"


def public_names(tree: ast.Module) -> Iterator[str]:
    """The functions, classes and constants without underscore that a module defines."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function):
            yield node.name
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def homes(trees: Trees) -> dict[str, set[Path]]:
    """Where each public name is defined."""
    found = defaultdict(set)
    for path, tree in trees.items():
        for name in public_names(tree):
            if not name.startswith("_"):
                found[name].add(path)
    return found


def definitions(tree: ast.Module, kinds: type | tuple[type, ...]) -> set[str]:
    """Public functions or classes of a module."""
    return {
        node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")
    }


def floor_of(path: Path, root: Path) -> str:
    """The first folder beneath the package."""
    return path.relative_to(root).parts[0]


def two_homes_on_a_floor(trees: Trees, root: Path) -> Iterator[Complaint]:
    """A class name and a public function name are there once on a floor."""
    seen: dict[tuple[str, str], Path] = {}
    for path, tree in trees.items():
        for name in definitions(tree, (ast.ClassDef, ast.FunctionDef)):
            key = (floor_of(path, root), name)
            if key in seen and "cli" not in path.relative_to(root).parts:
                yield path, 1, f"{name} lives in {seen[key].relative_to(root)} too: name them apart"
            seen[key] = path


def imported_modules(tree: ast.Module) -> set[str]:
    """Dotted names of modules that a file may import: with a name of it, or as a whole."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def customers(trees: Trees, root: Path) -> dict[Path, set[Path]]:
    """The files that import each file."""
    modules = {module_of(path, root): path for path in trees}
    found: dict[Path, set[Path]] = defaultdict(set)
    for path, tree in trees.items():
        for name in imported_modules(tree) & modules.keys():
            if modules[name] != path:
                found[modules[name]].add(path)
    return found


def module_of(path: Path, root: Path) -> str:
    """The dotted name of a file of the package."""
    parts = [root.name, *path.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


LISTS = ("__init__", "registry")
"""Modules that list others, one file a command, a method or a score: they own none of them."""


def satellites(trees: Trees, root: Path, limit: int = 60) -> Iterator[Complaint]:
    """A module under 60 lines with a single customer, in its own folder, belongs to it."""
    used = customers(trees, root)
    for path, tree in trees.items():
        if path.stem == "__init__" or path.stem.endswith("_numba"):
            continue
        lines = max((getattr(node, "end_lineno", 0) for node in tree.body), default=0)
        users = [user for user in used[path] if user.stem not in LISTS]
        if lines < limit and len(users) == 1 and users[0].parent == path.parent:
            only = users[0].name
            yield path, lines, f"{lines} lines for {only} alone: let it live there"
