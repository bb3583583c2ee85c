"""Model: a learned encoder with everything needed to use it on new series, as a folder and back."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32
from safetensors.torch import load_file, save_file

from selftime.data import scaling
from selftime.data.files import restore, whole_folder
from selftime.data.fingerprints import Fingerprints, are_among, read_seen, write_seen
from selftime.data.readers import read
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batches, by_length
from selftime.encoders.base import Encoder
from selftime.encoders.registry import build, check_sizes, check_tensors, recipe_of
from selftime.engine.streaming.stream import Manner, Of, Source, Stream
from selftime.progress import Progress, open_progress


def check_reference_bank(reference_bank: torch.Tensor, dim: int) -> np.ndarray:
    """The stored cohort as an array.

    Raises:
        ValueError: not (K,``dim``) finite 32-bit numbers.
    """
    if (
        reference_bank.dtype != torch.float32
        or reference_bank.ndim != 2
        or reference_bank.shape[1] != dim
    ):
        raise ValueError(f"got a cohort of shape {tuple(cohort.shape)}, wanted (any, {dim})")
    if not bool(reference_bank.isfinite().all()):
        raise ValueError("the cohort holds values that are not finite")
    return reference_bank.numpy()


def card_text(card: dict[str, Any], config: dict[str, Any]) -> str:
    """The card as Markdown, from the same figures that ``config.json`` holds."""
    sections = [
        "# A selftime model",
        "Made by self-supervised learning from unlabelled time series. "
        'Use it with `selftime.load("this-folder")`.',
        _table("Data", card.get("data", {})),
        _table("Settings", {k: f"{v['value']} — {v['reason']}" for k, v in _reasons(card)}),
        _table("Figures", card.get("figures", {})),
        _table("Input", {"channels": ", ".join(config["channels"]), "scaling": config["scaling"]}),
        _table("Made with", card.get("versions", {})),
    ]
    return "\n\n".join(part for part in sections if part) + "\n"


def _reasons(card: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(card.get("settings", {}).items())


def _table(title: str, rows: dict[str, Any]) -> str:
    if not rows:
        return ""
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines])


_FORMAT = 1
"""Version of the model folder; raised whenever an older reader would misread a newer folder."""


class ModelError(ValueError):
    """A model folder that cannot be used: the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Model:
    """What :func:`selftime.pretrain` returns and :func:`selftime.load` reads.

    Attributes:
        encoder: the learned encoder.
        scaling: what is done to values before they reach it.
        channels: names of the channels it was made for.
        card: where it comes from: data, fingerprint, settings and the reasons for them.
        cohort: (K,D) embeddings of some of the unlabelled series it learned from, with which a
            probe compares its scores; or None.
        fingerprints: of every series it was pretrained on; None where that is not known.
    """

    encoder: Encoder
    scaling: Scaling
    channels: tuple[str, ...]
    card: dict[str, Any] = field(default_factory=dict)
    reference_bank: Float32[np.ndarray, "K D"] | None = None
    fingerprints: Fingerprints | None = None

    def __sklearn_clone__(self) -> "Model":
        return self  # nothing changes a model, so estimators can share it

    def __repr__(self) -> str:
        return f"Model(channels={len(self.channels)}, dim={self.dim})"

    @property
    def dim(self) -> int:
        """Length of the embeddings."""
        return self.encoder.dim

    def embed(
        self, x: Any, *, batch_size: int = 256, progress: bool | Progress | None = None
    ) -> Float32[np.ndarray, "N D"]:
        """One vector a series.

        Args:
            x: whatever :func:`selftime.read` takes: an array, a frame, a path, a SeriesSet.
            batch_size: series at a time.
            progress: a bar where a person looks when None; :func:`selftime.progress.open_progress`.

        Raises:
            SeriesError: bad input, or another number of channels than the model was made for.
        """
        series = self.check(read(x))
        order = by_length(series) if series.is_ragged else np.arange(len(series))
        out = np.empty((len(series), self.dim), np.float32)
        done = 0
        with open_progress(progress) as tell:
            for rows, part in self._parts(series, order, batch_size):
                out[rows] = part
                done += len(rows)
                tell("embedding", done, len(series))
        return out

    def stream(
        self, streams: int | None = None, of: Of = "auto", window: int | None = None, every: int = 1
    ) -> Stream:
        """Embeddings of every step as values come in; arguments as of :class:`Manner`.

        Raises:
            StreamError: the model cannot be streamed so: the message says why and what can be.
        """
        source = Source(self.encoder, self.scaling, self.channels)
        return Stream(source, Manner(streams, of, window, every))

    def check(self, series: SeriesSet) -> SeriesSet:
        """The series, if the model can read them.

        Raises:
            SeriesError: another number of channels than the model was made for.
        """
        if series.n_channels != len(self.channels):
            raise SeriesError(
                f"got series of {series.n_channels} channels, wanted {len(self.channels)} "
                f"({', '.join(self.channels)}): choose the same channels as in pretraining"
            )
        return series

    def seen(self, x: Any) -> Bool[np.ndarray, "N"] | None:
        """Which series it was pretrained on, by their values; None where that is not known.

        Args:
            x: whatever :func:`selftime.read` takes.
        """
        return None if self.fingerprints is None else are_among(read(x), self.fingerprints)

    def _parts(
        self, series: SeriesSet, order: np.ndarray, size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for k, batch in enumerate(batches(series, size=size, order=order)):
            with torch.inference_mode():  # left before the caller goes on
                vectors = self.encoder.embed(self.scaling.apply(batch)).numpy()
            yield order[k * size : (k + 1) * size], vectors

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the folder: ``model.safetensors``, ``config.json``, ``README.md``, and what it saw.

        The folder appears whole or not at all; the old one stays until then.

        Raises:
            FileExistsError: the folder exists and ``overwrite`` is False, or is no model folder.
        """
        target = Path(path)
        check_free(target, overwrite=overwrite)
        with whole_folder(target, overwrite=overwrite) as draft:
            self._write(draft)
        return target

    def _write(self, folder: Path) -> None:
        state = {name: tensor.contiguous() for name, tensor in self.encoder.state_dict().items()}
        if self.reference_bank is not None:
            state["cohort"] = torch.from_numpy(self.reference_bank)
        save_file(state, folder / "model.safetensors")
        (folder / "config.json").write_text(
            json.dumps(self.config(), indent=2) + "\n", encoding="utf8"
        )
        write_seen(folder, self.fingerprints)
        (folder / "README.md").write_text(card_text(self.card, self.config()), encoding="utf8")

    def config(self) -> dict[str, Any]:
        """Everything but the tensors, as plain values."""
        return {
            "format": _FORMAT,
            "encoder": recipe_of(self.encoder),
            "scaling": self.scaling.to_dict(),
            "channels": list(self.channels),
            "card": self.card,
        }


def check_free(target: Path, *, overwrite: bool) -> None:
    """Nothing is overwritten by accident, and never a folder that is not a model.

    Raises:
        FileExistsError: something stands there that may not be replaced.
    """
    if not target.exists():
        return
    if not overwrite:
        raise FileExistsError(f"{target} exists: choose another path, or overwrite=True (--force)")
    if not (target / "config.json").is_file():
        raise FileExistsError(f"{target} is not a model folder and is left alone: choose another")


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model folder, or a run folder that holds one as ``model/``.

    No class is imported by a name that the file holds: known names map to known classes, and
    tensors come from safetensors, so a foreign folder cannot run code.

    Raises:
        ModelError: a missing or damaged folder, or one with unknown names or settings.
    """
    folder = Path(path)
    restore(folder)
    restore(folder / "model")
    if (folder / "model" / "config.json").is_file():
        folder = folder / "model"
    for name in ("config.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} is not a model folder: {name} is missing")
    try:
        config = json.loads((folder / "config.json").read_text(), parse_constant=_refuse_constant)
        state = load_file(folder / "model.safetensors")
    except Exception as error:  # json and safetensors raise several kinds
        raise ModelError(f"{folder} is damaged ({error}): restore it or pretrain again") from None
    return _assemble(config, state, folder)


def _assemble(config: Any, state: dict[str, torch.Tensor], folder: Path) -> Model:
    version = config.get("format") if isinstance(config, dict) else None
    if version != _FORMAT:
        raise ModelError(f"{folder} has format {version}, wanted {_FORMAT}: pretrain again")
    try:
        check_sizes(config["encoder"], len(config["channels"]), state)
        reference_bank = state.pop("cohort", None)
        encoder = build(config["encoder"])
        encoder.load_state_dict(state)
        check_tensors(encoder, len(config["channels"]))
        return Model(
            encoder=encoder.eval(),
            scaling=scaling.from_dict(config["scaling"]),
            channels=tuple(map(str, config["channels"])),
            card=dict(config["card"]),
            reference_bank=None
            if reference_bank is None
            else check_reference_bank(reference_bank, encoder.dim),
            fingerprints=read_seen(folder),
        )
    except UNFIT as error:
        raise ModelError(f"{folder}: config and tensors do not fit ({error})") from error


UNFIT = (
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
)
"""What a config of the wrong shape makes the parts raise."""


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
