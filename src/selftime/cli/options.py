"""Options that several commands share; those of reading are written once for all of them."""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from selftime.cli import terminal
from selftime.door import through

if TYPE_CHECKING:
    from selftime import Model, SeriesSet

DataArgument = Annotated[
    str, typer.Argument(help="File, folder, - for csv on stdin, sample:NAME or sample:NAME:train.")
]
ModelArgument = Annotated[
    str, typer.Argument(help="Folder of a model or a run, or hf://user/name.")
]
ObjectiveOption = Annotated[str, typer.Option("--objective", help="See: selftime methods.")]
EncoderOption = Annotated[str, typer.Option("--encoder", help="See: selftime methods.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Fixes everything random.")]
HorizonOption = Annotated[int, typer.Option("--horizon", min=1, help="How many steps to forecast.")]
CovariatesOption = Annotated[
    str | None,
    typer.Option("--covariates", help="Channels given ahead, with commas; they are not forecast."),
]
PictureOption = Annotated[
    str | None, typer.Option("--picture", help="Picture to draw: .png, .svg or .pdf.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what stands at --out.")]
SafeCellsOption = Annotated[
    bool,
    typer.Option("--safe-cells/--no-safe-cells", help="In csv, ' before texts such as =A1+B1."),
]
SaveOption = Annotated[
    str | None, typer.Option("--save", help="Folder to keep what was fitted in, for predict.")
]
NumberOption = Annotated[
    int | None, typer.Option("--k", "-k", min=1, help="How many; chosen by stability otherwise.")
]
NamesOption = Annotated[
    str | None, typer.Option("--names", help="File of clusters, or ids in them, and their names.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Result as JSON on stdout; all else goes to stderr.")
]


EngineOption = Any
"""The engine of a command: "local", "ray", or a :class:`selftime.Ray`."""


def words_in(text: str | None) -> tuple[str, ...]:
    """Words between commas, each once; none from None."""
    words = [" ".join(word.split()) for word in (text or "").split(",")]
    return tuple(dict.fromkeys(word for word in words if word))


def model_in(folder: str) -> "Model":
    """Load the model of a folder: its own, that of a run, or that of a saved estimator.

    Raises:
        ValueError: there is none.
    """
    import selftime as st

    found = st.load(folder)
    model = found if isinstance(found, st.Model) else getattr(found, "model_", None)
    if model is None:
        raise ValueError(
            f"{folder} holds {type(found).__name__} and no model, wanted a model or run folder"
        )
    return model


class Reader:
    """Reads the data of a command as its options for tables say."""

    def __init__(self, asked: dict[str, Any], *, impute: bool = False) -> None:
        self.asked, self.impute = asked, impute

    def __call__(self, source: str, *, lenient: bool = False, silent: bool = False) -> "SeriesSet":
        """Read series; with ``lenient`` they need have none of the labels that were asked for.

        Notes are printed unless ``silent``.
        """
        if source == "-":
            return self._read_stdin(lenient=lenient, silent=silent)
        return self._read(source, source, lenient=lenient, silent=silent)

    def _read(self, source: str, name: str, *, lenient: bool, silent: bool) -> "SeriesSet":
        """Read a source of which notes speak by a name."""
        import selftime as st

        def note(text: str) -> None:
            terminal.note(text.replace(source, name))

        with through("command line", (lambda _: None) if silent else note):
            try:
                series = st.read(source, **self.asked)
            except st.SeriesError as error:
                if not lenient or error.lacks is None:
                    raise
                series = st.read(source, **self.asked | {error.lacks: None})
        return self._filled(series)

    def _filled(self, series: "SeriesSet") -> "SeriesSet":
        """Return series with values in their holes, where that was asked for."""
        import selftime as st

        if not self.impute or series.observed is None:
            return series
        found = st.Imputer(quantiles=(), progress=True).fit(series).imputation(series)
        terminal.note(f"{int(found.missing.sum()):,} missing values are filled in")
        return found.series

    def keep_gaps(self, what: str) -> None:
        """Raise a ValueError where gaps are to be filled, from what follows them too."""
        if self.impute:
            raise ValueError(
                f"got --impute for {what}, which may not know what comes later, as values that "
                "are filled in do: leave it out"
            )

    def check_blocks(self, what: str) -> None:
        """Raise a ValueError where gaps are to be filled, from all series at once."""
        if self.impute:
            raise ValueError(
                f"got --impute and {what}, which reads series block by block, while gaps are "
                "filled from all of them: selftime impute DATA --out filled.parquet, then take that"
            )

    def like(self, model: "Model | None") -> "Reader":
        """Return a reader of what a model reads, where no other form of it was asked for."""
        forms = ("kind", "patch", "size", "symbols", "rate")
        asked = any(self.asked.get(name) is not None for name in forms)
        if model is None or model.kind.name == "series" or asked:
            return self
        return Reader(self.asked | {"kind": model.kind}, impute=self.impute)

    def beside(self, folder: str) -> "tuple[Model, Reader]":
        """Return the model of a folder, and a reader of what it reads."""
        model = model_in(folder)
        return model, self.like(model)

    def _read_stdin(self, *, lenient: bool, silent: bool) -> "SeriesSet":
        """Read csv from stdin, through a file of this command alone."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "stdin.csv")
            path.write_bytes(sys.stdin.buffer.read())
            try:
                return self._read(str(path), "stdin", lenient=lenient, silent=silent)
            except ValueError as error:
                raise ValueError(str(error).replace(str(path), "stdin")) from None


def _table_options(  # noqa: PLR0913 - each is one thing that people know of their data
    id: Annotated[str | None, typer.Option(help="Column that names the series, or none.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Column of stamps; none keeps the order of rows.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column of labels; folder, name: those of sub-folders, files; none."),
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="File of ids and labels, or of id, start, end and label.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of subjects or machines; folder; none.")
    ] = None,
    channels: Annotated[str | None, typer.Option(help="Columns of values, with commas.")] = None,
    ignore: Annotated[str | None, typer.Option(help="Columns to leave out, with commas.")] = None,
    layout: Annotated[
        Literal["long", "wide", "series"] | None,
        typer.Option(help="A row a step with ids, a row a series, or one series."),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Zone of stamps without one, such as Europe/Berlin.")
    ] = None,
    missing: Annotated[
        str | None, typer.Option(help="Values that mean missing, with commas: -9999.")
    ] = None,
    repeated: Annotated[
        Literal["first", "mean", "refuse"] | None,
        typer.Option(help="Which row of a stamp that repeats counts."),
    ] = None,
    windows: Annotated[
        str | None, typer.Option(help="Cut recordings: steps or a duration such as 10min.")
    ] = None,
    stride: Annotated[str | None, typer.Option(help="From one window to the next.")] = None,
    limit: Annotated[
        str | None, typer.Option(help="Most memory that a file may take: 4 GB.", metavar="SIZE")
    ] = None,
) -> dict[str, Any]:
    """Options of every command that reads series."""
    return {
        "id": id,
        "time": time,
        "label": label,
        "group": group,
        "channels": words_in(channels) or None,
        "ignore": words_in(ignore),
        "layout": layout,
        "time_zone": time_zone,
        "missing": words_in(missing),
        "repeated": repeated,
        "windows": windows,
        "stride": stride,
        "limit": limit,
        "labels": labels,
    }


def _signal_options(
    kind: Annotated[
        Literal["series", "images", "text", "sound", "wave", "film"] | None,
        typer.Option(help="What the files hold; told by their endings."),
    ] = None,
    patch: Annotated[int | None, typer.Option(help="Of images: pixels of a patch's side.")] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Of images, film: longer side, or height and width: 48x64."),
    ] = None,
    symbols: Annotated[
        Literal["characters", "bytes", "subwords"] | None, typer.Option(help="Of text.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Of sound, wave: samples a second; of film: frames.")
    ] = None,
) -> dict[str, Any]:
    """Options of every command that reads series, for what is no measurement."""
    return {"kind": kind, "patch": patch, "size": size, "symbols": symbols, "rate": rate}


def _engine_options(
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Here, or on a cluster: docs/ray.md.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of a cluster of Ray; else one is started here.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of Ray; else one a core.")
    ] = None,
) -> dict[str, Any]:
    """Options of every command that a cluster can do."""
    if engine == "local" and (address or workers):
        raise ValueError("got --address or --workers, wanted --engine ray beside them")
    if engine == "local":
        return {"engine": engine}
    import selftime as st

    return {"engine": st.Ray(address=address, workers=workers)}


def _gap_options(
    impute: Annotated[
        bool, typer.Option("--impute", help="Fill missing values first, as selftime impute does.")
    ] = False,
) -> dict[str, Any]:
    """Options of every command that reads series, but for the one of the same name."""
    return {"impute": impute}


def _signature(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function, eval_str=True).parameters)


def with_tables(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reading, in place of its first parameter ``read``.

    One that has a parameter ``engine`` gets the options of clusters in its place too. An option
    that the command has for another thing stays its own (``--rate`` of ``detect``), and none has an
    option of its own name.
    """
    own = inspect.signature(command, eval_str=True)
    shared: list[Callable[..., dict[str, Any]]] = [_table_options, _signal_options, _gap_options]
    shared += [_engine_options] if "engine" in own.parameters else []
    named = {n: p for n, p in own.parameters.items() if n not in ("read", "engine")}
    taken = {*named, command.__name__}
    every = [{n: p for n, p in _signature(f).items() if n not in taken} for f in shared]

    @wraps(command)
    def whole(*args: Any, **given: Any) -> None:  # typer calls by name
        asked: dict[str, Any] = {}
        for options, names in zip(shared, every, strict=True):
            asked |= options(**{name: given.pop(name) for name in names})
        engine = {"engine": asked.pop("engine")} if "engine" in asked else {}
        read = Reader(asked, impute=asked.pop("impute", False))
        if engine.get("engine", "local") != "local":
            read.check_blocks("--engine ray")
        command(read, *args, **given, **engine)

    keep = [p.replace(kind=p.KEYWORD_ONLY) for p in named.values()]
    more = [p.replace(kind=p.KEYWORD_ONLY) for names in every for p in names.values()]
    last = [p for p in keep if p.name in ("safe_cells", "force", "as_json", "resume")]
    first = [p for p in keep if p not in last]
    whole.__signature__ = own.replace(parameters=[*first, *more, *last])  # type: ignore[attr-defined]
    hints = get_type_hints(command, include_extras=True)
    hints.pop("engine", None)
    for options in shared:
        hints = get_type_hints(options, include_extras=True) | hints
    whole.__annotations__ = {p.name: hints[p.name] for p in (*first, *more, *last)}
    return whole
