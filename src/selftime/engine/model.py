"""Model: a learned encoder with everything needed to use it on new series, as a folder and back."""

import json
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32
from safetensors.torch import save_file

from selftime import door
from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.channels import match_channels
from selftime.data.files import place_of, restore, whole_folder
from selftime.data.fingerprints import Fingerprints, are_among, read_seen, write_seen
from selftime.data.frames import Tabular, html_table
from selftime.data.matching import match_kind
from selftime.data.memory import bytes_held, make_room, memory_note, release, row_blocks
from selftime.data.readers import kind_for, read
from selftime.data.records import unpack
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal, signal_from
from selftime.data.storage import folder_at, read_stored, with_checksum
from selftime.encoders.base import Encoder, device_of
from selftime.encoders.quantisation import halved, pack_tensors, unpack_tensors
from selftime.encoders.registry import rebuild, recipe_of
from selftime.encoders.wrappers.projected import Projected
from selftime.engine import hub
from selftime.engine.card import card_tables, card_text, check_card
from selftime.engine.streaming.stream import Source, Stream, StreamConfig, VectorsOf
from selftime.engine.symbol_head import HEAD_TENSORS, SymbolHead, read_head
from selftime.engine.threads import map_batches
from selftime.progress import Progress, open_progress

StoredPrecision = Literal["full", "half"]
_COPIES_OF_VALUES = 2.5
"""Times the series that embedding takes in memory, beside its vectors (measured)."""
_FORMAT = 4
"""Version of the model folder; raised whenever an older reader would misread a newer folder."""
OWN = re.compile(r"(model/)?((model|seen|state)\.safetensors|config\.json|README\.md)")
"""Paths of files that are written into the folder of a model or an estimator; others stay there."""
UNFIT = (
    *(LookupError, TypeError, ValueError, RuntimeError, AttributeError, ArithmeticError),
    MemoryError,
)
"""Errors that the parts raise for a config of the wrong shape."""


class ModelError(ValueError):
    """A model folder that cannot be used: the message says why and what to do.

    Example:
        >>> import selftime as st
        >>> st.load("no-such-folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        selftime...ModelError: no-such-folder is not a model folder: config.json is missing
    """


@dataclass(frozen=True, eq=False)
class Model(Tabular):
    """A learned encoder and its input: :func:`selftime.pretrain` returns it, ``load`` reads it.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective="simclr", budget="2 steps")
        >>> model
        Model(channels=12, dim=320)
        >>> model.embed(x).shape
        (20, 320)

    Attributes:
        encoder: the learned encoder.
        scaling: brings values to the units that the encoder reads.
        channels: names of the channels it was made for.
        card: where it comes from: data, fingerprint, settings and the reasons for them.
        reference_bank: (K,D) embeddings of some of the unlabelled series it learned from, with
            which a probe compares its scores; or None.
        fingerprints: of every series it was pretrained on; None where that is not known.
        kind: what steps are of the series it reads: measurements, patches of pictures, symbols.
        head: of texts, what it learned to say of the next symbol or of a hidden one; or None.
    """

    encoder: Encoder
    scaling: Scaling
    channels: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)
    reference_bank: Float32[np.ndarray, "K D"] | None = None
    fingerprints: Fingerprints | None = None
    kind: Signal = Measurements()
    head: SymbolHead | None = None

    def __sklearn_clone__(self) -> "Model":
        return self  # nothing changes a model, so estimators can share it

    def __repr__(self) -> str:
        return f"Model(channels={len(self.channels)}, dim={self.dim})"

    @property
    def dim(self) -> int:
        """D, the embedding size."""
        return self.encoder.dim

    def embed(
        self, x: Any, *, batch_size: int = 256, progress: bool | Progress | None = None
    ) -> Float32[np.ndarray, "N D"]:
        """Return one vector for each series.

        Args:
            x: whatever :func:`selftime.read` takes: an array, a frame, a path, a SeriesSet.
            batch_size: series at a time.
            progress: a bar where a person looks when None; :func:`selftime.progress.open_progress`.

        Raises:
            SeriesError: bad input, or another number of channels than the model was made for.
            ModelError: weights so large that vectors are not finite.
        """
        series = self.check(read(x, kind=kind_for(x, self.kind)))
        out = make_room((len(series), self.dim), beside=series.steps)
        needed = _COPIES_OF_VALUES * bytes_held(series.steps) + bytes_held(out)
        door.tell(memory_note("embedding", needed))
        done, device = 0, device_of(self.encoder)
        with open_progress(progress) as tell:
            for rows, vectors in map_batches(self._vectors, series, device, batch_size):
                out[rows] = vectors
                release(out)
                done += len(rows)
                tell("embedding", done, len(series))
        if not all(np.isfinite(out[rows]).all() for rows in row_blocks(out)):
            raise ModelError(
                "got vectors that are not finite, wanted numbers: weights of the model are damaged "
                "or diverged, so load another one or pretrain again"
            )
        return out

    @torch.inference_mode()
    def _vectors(self, batch: Batch) -> Float32[np.ndarray, "B D"]:
        scaled = self.scaling.apply(batch).to(device_of(self.encoder))
        return np.asarray(self.encoder.embed(scaled).cpu())

    def to_columns(self) -> dict[str, Any]:
        """Return the card, a fact in each row: its section, its name and its value as text."""
        tables = card_tables(self.card, self.config())
        facts = [(title, name, str(v)) for title, own in tables.items() for name, v in own.items()]
        columns = map(list, zip(*facts, strict=True))
        return dict(zip(("section", "name", "value"), columns, strict=True))

    def _repr_html_(self) -> str:
        return html_table(self.to_columns(), repr(self))

    def stream(
        self,
        streams: int | None = None,
        of: VectorsOf = "auto",
        window: int | None = None,
        every: int = 1,
    ) -> Stream:
        """Return a stream: embeddings of every step as values come in.

        Args:
            streams: series that come at once, or None for a single one.
            of: "step" for the network's token of each step, before vectors of whole series are
                standardised; "series" for the model's vector of the series so far; "auto" is
                "step" where there are tokens of steps.
            window: steps that are encoded anew, or None where each step is read once.
            every: steps from one encoding of a window to the next.

        Raises:
            StreamError: the model cannot be streamed so: the message says why and what can be.
        """
        source = Source(self.encoder, self.scaling, self.channels)
        return Stream(source, StreamConfig(streams, of, window, every))

    def check(self, series: SeriesSet) -> SeriesSet:
        """Return the series with the model's channels in its order, counted from its levels.

        Raises:
            SeriesError: channels that are missing or unknown, named.
        """
        alike = match_kind(series, self.kind)
        return self.scaling.measure(match_channels(alike, self.channels))

    def seen(self, x: Any) -> Bool[np.ndarray, "N"] | None:
        """Return True for each series (N,) it was pretrained on, by value; None where not known."""
        series = read(x, kind=kind_for(x, self.kind))
        if series.kind.name == self.kind.name:
            series = match_kind(series, self.kind)
        return None if self.fingerprints is None else are_among(series, self.fingerprints)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        precision: StoredPrecision = "full",
    ) -> Path:
        """Write the folder: ``model.safetensors``, ``config.json``, ``README.md``, fingerprints.

        The folder appears whole or not at all; the old one stays until then.

        Args:
            path: the folder.
            overwrite: replace a model folder that stands there; files of yours in it stay.
            precision: "full" gives the same bits back; "half" writes what was learned as 16-bit
                floats, which halves the folder: vectors agree to a part in a thousand.

        Raises:
            FileExistsError: the folder exists and ``overwrite`` is False, or is no model folder.
            ValueError: another precision.
        """
        check_precision(precision)
        target = place_of(path)
        check_replaced(target, overwrite=overwrite, kind="model")
        with whole_folder(target, overwrite=overwrite, own=OWN) as draft:
            state = {name: t.contiguous() for name, t in self.encoder.state_dict().items()}
            if self.reference_bank is not None:
                state["reference_bank"] = torch.from_numpy(self.reference_bank)
            state |= self.head.tensors() if self.head else {}
            state = pack_tensors(state)
            if precision == "half":
                maps = {*learned_maps(self.encoder), "reference_bank"}
                state = {k: halved(t) if k in maps else t for k, t in state.items()}
            save_file(state, draft / "model.safetensors")
            config = self.config() | {"precision": precision}
            stored = with_checksum(config, draft / "model.safetensors")
            text = json.dumps(stored, indent=2) + "\n"
            (draft / "config.json").write_text(text, encoding="utf8")
            write_seen(draft, self.fingerprints)
            (draft / "README.md").write_text(card_text(self.card, config), encoding="utf8")
        return target

    save_pretrained = hub.save_pretrained
    push_to_hub = hub.push_to_hub

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike[str], *, revision: str | None = None
    ) -> "Model":
        """Read a model from the hub, or from a folder.

        Args:
            name: "user/name" at the hub, or a folder.
            revision: branch, tag or commit; the card says which commit it was.

        Raises:
            HubError: none there, or no connection.
            ModelError: as :func:`selftime.load`.
        """
        return load(hub.address(name, revision))

    def config(self) -> dict[str, Any]:
        """Return everything but the tensors, as plain values."""
        return {
            "format": _FORMAT,
            "encoder": recipe_of(self.encoder),
            "scaling": self.scaling.to_dict(),
            "channels": list(self.channels),
            "kind": self.kind.to_dict(),
            "card": self.card,
            **({"head": self.head.guessed} if self.head else {}),
        }


def current_versions() -> dict[str, str]:
    """Return the versions of what results depend on."""
    versions = {name: version(name) for name in ("selftime", "torch", "numpy", "numba")}
    return {"python": platform.python_version(), **versions}


def check_precision(precision: str) -> None:
    """Check that numbers can be stored so."""
    if precision not in ("full", "half"):
        raise ValueError(f"got precision {precision!r}, wanted 'full' or 'half'")


def check_replaced(target: Path, *, overwrite: bool, kind: str) -> None:
    """Check that a folder that is overwritten is one that was saved."""
    if target.exists() and overwrite and not (target / "config.json").is_file():
        raise FileExistsError(f"{target} is not a {kind} folder and is left alone: choose another")


def learned_maps(encoder: Encoder) -> Iterator[str]:
    """Yield the names of all weights that were learned, on which vectors depend smoothly.

    What was drawn or measured is none of them: thresholds, and convolutions that compete.
    """
    yield from (name for name, _ in encoder.named_parameters())
    for name, part in encoder.named_modules():
        if isinstance(part, Projected):
            yield f"{name}.weight".removeprefix(".")


ModelOrFolder = Model | str | os.PathLike[str]
"""A model, or the folder of one."""


def model_at(model: ModelOrFolder) -> Model:
    """Return the model itself, or the one of the folder that is given in its place."""
    return load(model) if isinstance(model, str | os.PathLike) else model


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model folder, or a run folder that holds one as ``model/``.

    No class is imported by a name that the file holds: known names map to known classes, and
    tensors come from safetensors, so a foreign folder cannot run code.

    Example:
        >>> import tempfile, selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective="simclr", budget="2 steps")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     same = st.load(model.save(f"{folder}/model"))
        >>> bool((same.embed(x) == model.embed(x)).all())
        True

    Raises:
        ModelError: a missing or damaged folder, one of another format, or one with unknown names
            or settings.
    """
    return read_model(*hub.fetch(path))


def read_model(path: Path, source: dict[str, str]) -> Model:
    """Read a folder as :func:`load` does; whence it was fetched goes into the card."""
    try:
        folder = folder_at(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"got {str(path)[:80]!r}, wanted a path to a folder ({error})") from None
    restore(folder / "model")
    if (folder / "model" / "config.json").is_file():
        folder = folder / "model"
    if (folder / "state.safetensors").is_file():
        raise ModelError(f"{folder} holds no model: what is in it was fitted without one")
    config, state = read_folder(folder, "model.safetensors")
    if (number := config.get("format")) not in (2, 3, _FORMAT):  # 32 bits a weight; series alone
        raise ModelError(
            f"{folder} has format {number}, wanted {_FORMAT}: pretrain again, or load it with the "
            "version of selftime that saved it, which its README.md names"
        )
    try:
        model = _assemble(config, unpack_tensors(state), folder)
        return replace(model, card=model.card | {"source": source}) if source else model
    except UNFIT as error:
        raise ModelError(f"{folder}: config and tensors do not fit ({error})") from error


def read_folder(
    folder: Path, tensors: str, kind: str = "model"
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read the plain values of a folder, and the tensors of the file beside them.

    Raises:
        ModelError: a file is missing, damaged or of another form.
    """
    for name in ("config.json", tensors):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} is not a {kind} folder: {name} is missing")
    try:
        return read_stored(folder / "config.json", folder / tensors)
    except ValueError as error:
        raise ModelError(f"{folder} is damaged ({error}): restore it or pretrain again") from None


def _assemble(config: dict[str, Any], state: dict[str, torch.Tensor], folder: Path) -> Model:
    """Build the model from config and tensors, which may hold anything."""
    check_precision(config.get("precision", "full"))
    channels = unpack(config["channels"], tuple[str, ...], {}, {})
    scale = scaling.from_dict(config["scaling"], len(channels))
    card = check_card(config["card"])
    bank = state.pop("reference_bank", None)
    given = {name: state.pop(name) for name in HEAD_TENSORS if name in state}
    encoder = rebuild(config["encoder"], len(channels), state)
    kind = signal_from(config.get("kind", Measurements().to_dict()))
    if bank is not None:
        if bank.dtype != torch.float32 or bank.ndim != 2 or bank.shape[1] != encoder.dim:
            raise ValueError(f"the reference bank has shape {tuple(bank.shape)}")
        if not bool(bank.isfinite().all()):
            raise ValueError("the reference bank holds values that are not finite")
    return Model(
        encoder=encoder,
        scaling=scale,
        channels=channels,
        card=card,
        reference_bank=None if bank is None else bank.numpy(),
        fingerprints=read_seen(folder),
        kind=kind,
        head=read_head(config.get("head"), given, encoder, kind.symbols),
    )
