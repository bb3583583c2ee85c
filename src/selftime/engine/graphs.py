"""Models as graphs for other programs: written as ONNX or for torch once they give the same."""

import io
import json
import logging
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from selftime.data.batch import Batch
from selftime.data.files import place_of, write_file
from selftime.data.frames import Tabular
from selftime.data.scaling import PerChannel, Scaling
from selftime.data.series import SeriesSet
from selftime.door import option
from selftime.engine.model import Model

Target = Literal["onnx", "torch"]
SUFFIXES: dict[str, str] = {"onnx": ".onnx", "torch": ".pt2"}
"""What the name of a graph ends with."""
MOST_ERROR = 1e-4
"""Greatest difference to what selftime gives, in units of the greatest number, that is kept."""
BATCHES = (1, 64)
"""Series at a time whose seconds are measured."""
_USUAL = 100
"""Steps of the series that are tried where a model names no length."""
_LEAST_SECONDS, _MOST_RUNS = 0.3, 30
"""For how long, or how often, each is run: the quickest counts, which other work delays least."""
_INPUT = "series"

Answer = Float[np.ndarray, "N ..."]
Runtime = Callable[[Float32[np.ndarray, "N C T"]], Answer]
"""Vectors, probabilities or values of raw series, NaN where missing."""


class GraphError(ValueError):
    """A model that cannot be written as a graph: the message says why and what to do."""


class Subject(NamedTuple):
    """A module of raw values that becomes a graph, the name of its answers, and its model.

    ``usual`` gives the same from series as users call it; ``facts`` go into the file.
    """

    graph: nn.Module
    output: str
    model: Model
    usual: Callable[[SeriesSet], Any]
    facts: dict[str, Any]


class VectorGraph(nn.Module):
    """A model from raw values (N,C,T), NaN where missing, to vectors (N,D)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.encoder, self.scaling = model.encoder, model.scaling

    def forward(self, values: Float[Tensor, "N C T"]) -> Float[Tensor, "N D"]:
        """The vectors."""
        return self.encoder.embed(scaled_batch(self.scaling, values))


def scaled_batch(scaling: Scaling, values: Float[Tensor, "N C T"]) -> Batch:
    """Return raw values, NaN where missing, as an encoder reads them."""
    missing = values.isnan()
    return scaling.apply(Batch(values.masked_fill(missing, 0.0), ~missing))


def vectors_of(model: Model) -> Subject:
    """Return what becomes the graph of a model."""
    return Subject(
        VectorGraph(model), "vectors", model, lambda x: model.embed(x, progress=False), {}
    )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Exported(Tabular):
    """A file that was written, how near it is to selftime, and how long it takes.

    Attributes:
        path: the file.
        to: "onnx" or "torch".
        output: "vectors", "probabilities" or "values".
        length: steps that series must have, shorter ones filled up with NaN; None for any.
        error: greatest difference to selftime, in units of the greatest number.
        latency: runtime, series at a time and milliseconds, a row each.
    """

    path: Path
    to: Target
    output: str
    length: int | None
    error: float
    latency: tuple[tuple[str, int, float], ...]

    def to_columns(self) -> dict[str, Any]:
        """Return the seconds: runtime, series at a time, milliseconds."""
        columns = map(list, zip(*self.latency, strict=True))
        return dict(zip(("runtime", "batch", "milliseconds"), columns, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        rows = [dict(zip(self.to_columns(), row, strict=True)) for row in self.latency]
        plain = {"out": str(self.path), "to": self.to, "output": self.output}
        return plain | {"length": self.length, "error": self.error, "latency": rows}


def write_graph(
    subject: Subject,
    path: str | os.PathLike[str],
    *,
    to: Target,
    length: int | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a graph, once it was run again and gave what selftime gives; see ``export``."""
    target = check_target(path, to, overwrite)
    check_levels(subject.model)
    is_open = not any(isinstance(part, nn.RNNBase) for part in subject.graph.modules())
    steps = length or usual_length(subject.model, is_open)
    values = toy_values(subject.model, 4, steps)
    fixed = None if is_open else steps
    facts = {
        "selftime": version("selftime"),
        "input": _INPUT,
        "output": subject.output,
        "channels": list(subject.model.channels),
        "kind": subject.model.kind.to_dict(),
        "length": fixed,
        **subject.facts,
    }
    program = trace(subject.graph, values, is_open)
    content = (onnx_bytes if to == "onnx" else torch_bytes)(program, facts)
    run = (onnx_run if to == "onnx" else torch_run)(content)
    least = least_steps(program) if to == "torch" else 1
    tried = [values] if fixed else tried_values(subject.model, steps, least)
    error = difference(subject, run, tried)
    if not error <= MOST_ERROR:
        raise GraphError(
            f"the graph differs from selftime by {error:.1g} of the greatest number, wanted at "
            f"most {MOST_ERROR}, so it is not kept: report the model's encoder, {subject.model}"
        )
    runs = {"onnxruntime": run} if to == "onnx" else {}
    runs |= {"torch": module_run(program.module()), "selftime": lambda x: usual_run(subject, x)}
    rows = latency_of(runs, subject.model, steps)
    write_file(target, content)
    return Exported(
        path=target, to=to, output=subject.output, length=fixed, error=error, latency=rows
    )


def check_target(path: str | os.PathLike[str], to: Target, overwrite: bool) -> Path:
    """Return the place of a file to write, once its name and what stands there allow it."""
    target = place_of(path)
    if to not in SUFFIXES:
        raise GraphError(f"got to={to!r}, wanted one of {', '.join(map(repr, SUFFIXES))}")
    if target.suffix != SUFFIXES[to]:
        wanted = f"{target.stem}{SUFFIXES[to]}"
        raise GraphError(
            f"got {target.name!r} for {option('to', to)}, wanted a name that ends with "
            f"{SUFFIXES[to]}: {wanted}"
        )
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"{target} exists: choose another name, or {option('overwrite', True)}"
        )
    return target


def check_levels(model: Model) -> None:
    """Raise a GraphError where 32-bit input does not hold what a model reads."""
    scaling = model.scaling
    if isinstance(scaling, PerChannel) and any(math.isnan(x) or x for x in scaling.origin):
        raise GraphError(
            "this model counts channels from levels that 32-bit numbers do not hold, and the "
            "input of a graph is 32-bit: take the levels off the series, and pretrain on these"
        )


def usual_length(model: Model, is_open: bool) -> int:
    """Return the steps of usual series of a model; of the longest where no longer ones can be."""
    data, settings = (model.card.get(name) or {} for name in ("data", "settings"))
    if not is_open and isinstance(data.get("longest"), int):
        return int(data["longest"])
    own = [getattr(part, "length", None) for part in model.encoder.modules()]
    named = [steps for steps in own if isinstance(steps, int)]
    chosen = settings.get("length", {}).get("value")
    return max(named) if named else chosen if isinstance(chosen, int) else _USUAL


def tried_values(model: Model, steps: int, least: int) -> list[Float32[np.ndarray, "N C T"]]:
    """Return raw series of several numbers and lengths, on which graph and model are compared."""
    sizes = ((4, steps), (1, max(steps // 2, least)), (2, steps + 7))
    return [toy_values(model, count, length) for count, length in sizes]


def toy_values(model: Model, count: int, steps: int) -> Float32[np.ndarray, "N C T"]:
    """Return waves in noise, or symbols, in the units of the model; some are missing.

    The second series has gaps, the third is shorter, and of the fourth a channel is missing.
    """
    rng, shape = np.random.default_rng(0), (count, len(model.channels), steps)
    if model.kind.symbols:
        values = rng.integers(0, model.kind.symbols, shape).astype(np.float32)
    else:
        turn = rng.uniform(0, 6, (*shape[:2], 1)) + np.arange(steps) / rng.uniform(
            2, 9, (count, 1, 1)
        )
        some = torch.zeros(1, shape[1], 1)
        scale = model.scaling.scale_of(Batch(some, some.isnan()))
        waves = np.sin(turn) + 0.5 * rng.standard_normal(shape)
        values = (waves * scale.sd.numpy() + scale.mean.numpy()).astype(np.float32)
    values[1:2][rng.random((*values[1:2].shape,)) < 0.1] = np.nan
    values[2:3, :, max(2 * steps // 3, 1) :] = np.nan
    values[3:4, : shape[1] - 1, :] = np.nan
    values[:, -1, 0] = np.where(np.isnan(values[:, -1, 0]), 0, values[:, -1, 0])
    return values


def usual_run(subject: Subject, values: Float32[np.ndarray, "N C T"]) -> Answer:
    """Return what selftime gives for raw series, read and encoded as usual."""
    model = subject.model
    series = SeriesSet.of(values, channels=model.channels)
    found = subject.usual(replace(series, kind=model.kind))
    if not isinstance(found, list):
        return np.asarray(found)
    whole = np.full((len(found), values.shape[2], found[0].shape[1]), np.nan)
    for row, own in zip(whole, found, strict=True):  # of every step, up to the last of a series
        row[: len(own)] = own
    return whole


def difference(subject: Subject, run: Runtime, tried: list[Any]) -> float:
    """Return the greatest difference of a graph to selftime, in units of the greatest number."""
    found = 0.0
    for values in tried:
        wanted, got = usual_run(subject, values), run(values)
        if got.shape != wanted.shape:
            return math.inf
        size = max(float(np.nanmax(np.abs(wanted))), float(np.finfo(np.float32).tiny))
        found = max(found, float(np.nanmax(np.abs(got - wanted))) / size)
    return found


def trace(graph: nn.Module, values: np.ndarray, is_open: bool) -> Any:
    """Return the graph of a module, for any number of series and, if ``is_open``, of steps."""
    free = torch.export.Dim.DYNAMIC
    sizes = {0: free, 2: free} if is_open else {0: free}
    with torch.no_grad(), unheard():
        return torch.export.export(
            graph.eval(), (torch.from_numpy(values),), dynamic_shapes=(sizes,)
        )


def least_steps(program: Any) -> int:
    """Return the fewest steps that torch lets series of a graph have; other runtimes take fewer."""
    given = program.graph_module.graph.find_nodes(op="placeholder")[-1].meta["val"]
    expression = getattr(getattr(given.shape[2], "node", None), "expr", None)
    bounds = program.range_constraints.get(expression)
    return 1 if bounds is None else int(bounds.lower)


@contextmanager
def unheard() -> Iterator[None]:
    """Keep remarks of exporters on their own parts from users."""
    loud = logging.getLogger("torch.onnx")
    level = loud.level
    loud.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        loud.setLevel(level)


def onnx_bytes(program: Any, facts: dict[str, Any]) -> bytes:
    """Return a graph as an ONNX file, with facts as properties of it.

    Raises:
        GraphError: the packages are not installed.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401 - it checks the file before it is kept
        import onnxscript  # noqa: F401 - torch writes by it
    except ImportError as error:
        raise GraphError(
            f"ONNX files are written by an optional package ({error}): pip install "
            "'selftime[export]'"
        ) from None
    with unheard():
        made = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            input_names=[_INPUT],
            output_names=[facts["output"]],
        )
    assert made is not None
    proto = made.model_proto
    sizes = proto.graph.input[0].type.tensor_type.shape.dim
    names = {sizes[0].dim_param: "count", sizes[2].dim_param: "steps"}
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = re.sub(
                    r"\w+", lambda found: names.get(found[0], found[0]), size.dim_param
                )
    plain = {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}
    onnx.helper.set_model_props(proto, plain)
    content: bytes = proto.SerializeToString()
    return content


def torch_bytes(program: Any, facts: dict[str, Any]) -> bytes:
    """Return a graph as a file that :func:`torch.export.load` reads, with facts beside it."""
    file = io.BytesIO()
    with unheard():
        torch.export.save(program, file, extra_files={"selftime.json": json.dumps(facts)})
    return file.getvalue()


def onnx_run(content: bytes) -> Runtime:
    """Return an ONNX file as onnxruntime runs it, on as many threads as torch has."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = torch.get_num_threads(), 4
    session = onnxruntime.InferenceSession(content, settings, ["CPUExecutionProvider"])
    return lambda values: np.asarray(session.run(None, {_INPUT: values})[0])


def torch_run(content: bytes) -> Runtime:
    """Return a file of :func:`torch_bytes` as torch runs it."""
    with unheard():
        return module_run(torch.export.load(io.BytesIO(content)).module())


def module_run(module: nn.Module) -> Runtime:
    """Return a module as a function of arrays."""

    def run(values: Float32[np.ndarray, "N C T"]) -> Answer:
        with torch.inference_mode():
            out: Tensor = module(torch.from_numpy(values))
        return out.numpy()

    return run


def latency_of(
    runs: dict[str, Runtime], model: Model, steps: int
) -> tuple[tuple[str, int, float], ...]:
    """Return runtime, series at a time and milliseconds, of the quickest of some runs."""
    rows = []
    for count in BATCHES:
        values = toy_values(model, count, steps)
        for name, run in runs.items():
            run(values)
            seconds = list[float]()
            while sum(seconds) < _LEAST_SECONDS and len(seconds) < _MOST_RUNS:
                begin = time.perf_counter()
                run(values)
                seconds.append(time.perf_counter() - begin)
            rows.append((name, count, 1e3 * min(seconds)))
    return tuple(rows)
