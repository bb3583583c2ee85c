"""The house rules as functions: each takes one syntax tree and yields where it is broken."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

Place = tuple[int, str]
Function = ast.FunctionDef | ast.AsyncFunctionDef

ROOMS_WITHOUT_A_NOUN = {"util", "utils", "common", "helper", "helpers", "misc"}
PICKLING = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
NUMPY_GENERATORS = {"default_rng", "Generator", "SeedSequence", "BitGenerator", "PCG64"}
TORCH_DRAWS = {
    "torch." + name
    for name in ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial")
}
TORCH_SEEDS = {
    "torch." + name for name in ("seed", "manual_seed", "cuda.manual_seed", "cuda.manual_seed_all")
}
DRAWS_IN_PLACE = {"normal_", "uniform_", "random_", "bernoulli_", "exponential_"}
HEAVY_OR_OPTIONAL = {
    "PIL",
    "aeon",
    "av",
    "edfio",
    "fsspec",
    "h5py",
    "huggingface_hub",
    "jinja2",
    "matplotlib",
    "numba",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "openpyxl",
    "pandas",
    "polars",
    "pyarrow",
    "ray",
    "rich",
    "scipy",
    "sklearn",
    "soundfile",
    "soxr",
    "tokenizers",
    "torch",
}
FRONT_DOORS = {"__init__", "cli"}  # files or packages that import our own modules lazily


def is_front_door(path: Path) -> bool:
    """Whether --help and ``import selftime`` go through a file, so that it must stay light."""
    return not FRONT_DOORS.isdisjoint([path.stem, *path.parts])


@cache
def nodes(tree: ast.AST) -> list[ast.AST]:
    """A tree and all that is beneath it; each rule looks through the same trees anew."""
    return list(ast.walk(tree))


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    return (node for node in nodes(tree) if isinstance(node, Function))


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted name that is called."""
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def imports(tree: ast.AST) -> Iterator[Place]:
    """Every import statement: its line and the module it asks for."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def lines_of(function: Function) -> int:
    """Lines from ``def`` to the end, docstring and all."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value given for a keyword of a call."""
    return next((k.value for k in call.keywords if k.arg == name), None)


def is_constant(node: ast.expr | None, value: object) -> bool:
    """Whether an expression is this literal."""
    return isinstance(node, ast.Constant) and node.value is value


def no_function_over_55_lines(tree: ast.Module, path: Path) -> Iterator[Place]:
    """The code of a function fits on a screen; its docstring says what must be said."""
    for function in functions(tree):
        lines, first = lines_of(function), function.body[0]
        if ast.get_docstring(function) is not None:
            lines -= (first.end_lineno or 0) - first.lineno + 1
        if lines > 55:
            yield function.lineno, f"{function.name} has {lines} lines of code: split it"


def no_file_over_400_lines(tree: ast.Module, path: Path) -> Iterator[Place]:
    """A file is one thing."""
    last = max((getattr(node, "end_lineno", None) or 0 for node in tree.body), default=0)
    if last > 400:
        yield last, f"the file has {last} lines, wanted at most 400: split it by noun"


def docstrings_say_what_a_thing_does(tree: ast.Module, path: Path) -> Iterator[Place]:
    """A docstring is a plain sentence or a noun: it does not open with what, whether or how."""
    for node in nodes(tree):
        if isinstance(node, ast.ClassDef | Function | ast.Module):
            first = (ast.get_docstring(node) or "-").split()[0].strip(",:")
            if first in ("What", "Whether", "How", "Where", "Which", "Who"):
                name = getattr(node, "name", "the module")
                yield getattr(node, "lineno", 1), f"{name} opens with “{first}”: say what it does"


def no_room_without_a_noun(tree: ast.Module, path: Path) -> Iterator[Place]:
    """A function without a home is a missing noun."""
    for name in ROOMS_WITHOUT_A_NOUN.intersection([*path.parts[:-1], path.stem]):
        yield 1, f"{name} says nothing about what is inside: name the noun"


def no_pickle(tree: ast.Module, path: Path) -> Iterator[Place]:
    """Reading a file never runs what is in it."""
    for line, name in imports(tree):
        if name.split(".")[0] in PICKLING:
            yield line, f"imports {name}: store arrays, safetensors or JSON"
    for call, name in calls(tree):
        allow = keyword(call, "allow_pickle")
        if allow is not None and not is_constant(allow, False):
            yield call.lineno, "allow_pickle must be False"
        if name == "torch.load" and not is_constant(keyword(call, "weights_only"), True):
            yield call.lineno, "torch.load unpickles: pass weights_only=True"
        if name.endswith((".read_pickle", ".to_pickle")):
            yield call.lineno, f"{name} pickles: store arrays, safetensors or JSON"


def no_global_randomness(tree: ast.Module, path: Path) -> Iterator[Place]:
    """Random functions take rng; nobody else's dice are touched."""
    yield from (
        (line, "imports random: take a Generator as rng")
        for line, name in imports(tree)
        if name == "random"
    )
    for node in nodes(tree):
        if isinstance(node, ast.Attribute):
            name, _, last = ast.unparse(node).rpartition(".")
            if name in ("np.random", "numpy.random") and last not in NUMPY_GENERATORS:
                yield node.lineno, f"{name}.{last} is global: take np.random.Generator as rng"
    for call, name in calls(tree):
        if name in TORCH_SEEDS:
            yield call.lineno, f"{name} seeds everybody: use torch.Generator().manual_seed"
        draws = name in TORCH_DRAWS or name.rpartition(".")[2] in DRAWS_IN_PLACE
        if draws and keyword(call, "generator") is None:
            yield call.lineno, f"{name} draws from the global state: pass generator=rng"


def no_double_star_arguments(tree: ast.Module, path: Path) -> Iterator[Place]:
    """The signature is the configuration; a wrapper has that of what it wraps."""
    for function in functions(tree):
        wraps = any("wraps" in ast.unparse(decorator) for decorator in function.decorator_list)
        if function.args.kwarg is not None and not wraps:
            yield function.lineno, f"{function.name} takes **{function.args.kwarg.arg}: name them"


def no_import_inside_functions(tree: ast.Module, path: Path) -> Iterator[Place]:
    """What a file depends on stands at its top, save what is heavy or optional."""
    for function in functions(tree):
        for line, name in imports(function):
            own = name.startswith((".", "selftime"))
            lazy = is_front_door(path) if own else name.split(".")[0] in HEAVY_OR_OPTIONAL
            if not lazy:
                yield line, f"{function.name} imports {name}: move it to the top"


def no_postponed_annotations(tree: ast.Module, path: Path) -> Iterator[Place]:
    """Types in signatures exist when the tests check them."""
    for line, name in imports(tree):
        if name == "__future__":
            yield line, "postponed annotations hide shapes from the checks: remove it"
    for node in nodes(tree):
        guard = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if guard and not is_front_door(path):
            yield node.lineno, "types under TYPE_CHECKING cannot be checked: import them"


def numba_kernels_live_in_numba_modules(tree: ast.Module, path: Path) -> Iterator[Place]:
    """The type checks of the tests leave out ``*_numba`` modules, and these alone."""
    for function in functions(tree):
        compiled = any("jit" in ast.unparse(d) for d in function.decorator_list)
        if compiled and not path.stem.endswith("_numba"):
            yield function.lineno, f"{function.name} is compiled: move it to a *_numba module"


def public_things_have_docstrings(tree: ast.Module, path: Path) -> Iterator[Place]:
    """Whatever a user can reach says what it is."""
    if ast.get_docstring(tree) is None:
        yield 1, "the module has no docstring"
    yield from _without_docstring(tree.body)


def _without_docstring(body: list[ast.stmt]) -> Iterator[Place]:
    for node in body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield node.lineno, f"{node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                yield from _without_docstring(node.body)


RULES = (
    no_function_over_55_lines,
    no_file_over_400_lines,
    docstrings_say_what_a_thing_does,
    no_room_without_a_noun,
    no_pickle,
    no_global_randomness,
    no_double_star_arguments,
    no_import_inside_functions,
    no_postponed_annotations,
    numba_kernels_live_in_numba_modules,
    public_things_have_docstrings,
)
"""Every rule that can be read off a single file."""
