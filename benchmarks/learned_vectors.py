"""Vectors of the default model on the open sets, kept in a folder so that they are made once."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from benchmarks.open_data import load
from selftime.engine.pretrain import pretrain


class Vectors(NamedTuple):
    """One set, as the model learned on its unlabelled training part sees it.

    Attributes:
        train: (N,D) vectors of the training part.
        labels: (N,) its labels.
        test: (M,D) vectors of the test part.
        truth: (M,) its labels.
        cohort: (K,D) vectors that the model keeps for its probe.
    """

    train: Float32[np.ndarray, "N D"]
    labels: np.ndarray
    test: Float32[np.ndarray, "M D"]
    truth: np.ndarray
    reference_bank: Float32[np.ndarray, "K D"]


def vectors_of(name: str, folder: Path | None) -> Vectors:
    """Vectors of an open set, read from ``folder`` or made (and kept there)."""
    kept = folder / f"{name}.npz" if folder else None
    if kept and kept.is_file():
        with np.load(kept, allow_pickle=False) as arrays:
            return Vectors(**arrays)
    train, test = load(name)
    model = pretrain(train)
    assert train.labels is not None and test.labels is not None and model.reference_bank is not None
    made = Vectors(
        model.embed(train), train.labels, model.embed(test), test.labels, model.reference_bank
    )
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(kept, allow_pickle=False, **made._asdict())
    return made


def reduced(x: Vectors) -> Vectors:
    """The same vectors in as many numbers as there are training series, plus one.

    A rotation onto what the training vectors span; the last number is how far a vector lies from
    it. Every length and every product with a training vector stays what it was, so that no head
    can tell the difference, but for rounding.
    """
    if len(x.train) >= x.train.shape[1]:
        return x
    basis = np.linalg.qr(x.train.T.astype(np.float64))[0]  # (D,N)

    def placed(vectors: np.ndarray) -> Float32[np.ndarray, "N d"]:
        vectors = vectors.astype(np.float64)
        within = vectors @ basis
        beyond = np.square(vectors).sum(axis=1) - np.square(within).sum(axis=1)
        return np.column_stack([within, np.sqrt(beyond.clip(min=0))]).astype(np.float32)

    moved = {name: placed(getattr(x, name)) for name in ("train", "test", "cohort")}
    return x._replace(**moved)
