"""Vectors of steps: what a pretrained model makes of a gap, and what its vectors say of a value."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from selftime.data.arrays import SeriesError
from selftime.data.batch import Batch
from selftime.engine.model import Model
from selftime.tasks.imputation.holes import Holes
from selftime.tasks.probing.ridge import mean_variance, solve_ridge
from selftime.tasks.transfer.solution import with_tokens

_STEPS = 256
"""Steps that a model is shown at once where it learned from longer series, or of unknown length."""
_PENALTY = 1e-2
"""Ridge penalty of weights of vectors, in units of their mean variance."""
_BATCH = 64
"""Windows that are encoded at once."""
_STD_FLOOR = 1e-4
"""Added to the deviation of a window, in units of the channel."""


class StepVectors:
    """The tokens of a model as vectors of missing values.

    A model of a single channel sees each channel by itself.

    Raises:
        ValueError: a model of whole series, or of another number of channels.
    """

    def __init__(self, model: Model, channels: int) -> None:
        self.encoder = with_tokens(model.encoder)
        if len(model.channels) not in (1, channels):
            raise SeriesError(
                f"got a model of {len(model.channels)} channels for series of {channels}, wanted 1 "
                f"or {channels}: pretrain on the same channels, or on single ones"
            )
        self.channels, self.apart = channels, len(model.channels) == 1
        self.stride = self.encoder.stride or 1

    @property
    def groups(self) -> int:
        """Kinds of values that have weights of their own: places in a token, and channels."""
        return self.stride * (1 if self.apart else self.channels)

    def of(
        self, holes: Holes, base: Float[np.ndarray, "S C"]
    ) -> Iterator[tuple[Int64[np.ndarray, "m 2"], Float[np.ndarray, "m D"], np.ndarray]]:
        """Yield rows and channels of missing values, their vectors and their groups.

        Vectors are in units of the deviation of the window; the model sees ``base``, in which the
        gaps are filled already, and which of it is missing.
        """
        for rows in self._windows(holes):
            seen = holes.observed[rows]
            values = base[rows]
            B, L, C = values.shape
            cells = np.argwhere(~seen)  # window, step, channel
            if not len(cells):
                continue
            mean, std = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
            std = std + _STD_FLOOR
            x = ((values - mean) / std).transpose(0, 2, 1)
            known = seen.transpose(0, 2, 1)
            if self.apart:
                x, known = x.reshape(B * C, 1, L), known.reshape(B * C, 1, L)
            tokens = self._encode(x, known)
            window, step, channel = cells.T
            place = window * C + channel if self.apart else window
            vectors = tokens[place, np.minimum(step // self.stride, tokens.shape[1] - 1)]
            vectors = vectors * std[window, 0, channel][:, None]
            group = step % self.stride + (0 if self.apart else self.stride * channel)
            yield np.stack([rows[window, step], channel], axis=1), vectors, group

    def _windows(self, holes: Holes) -> Iterator[Int64[np.ndarray, "B L"]]:
        """Yield the rows of windows of one length, all series covered."""
        for length in np.unique(np.minimum(holes.lengths, _STEPS)):
            own = np.minimum(holes.lengths, _STEPS) == length
            counts = -(-holes.lengths[own] // length)
            owner = np.repeat(np.arange(len(counts)), counts)
            number = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
            last = holes.lengths[own][owner] - length
            first = holes.starts[own][owner] + np.minimum(number * length, last)
            for k in range(0, len(first), _BATCH):
                yield first[k : k + _BATCH, None] + np.arange(length)

    def _encode(
        self, x: Float[np.ndarray, "B C L"], known: Bool[np.ndarray, "B C L"]
    ) -> Float[np.ndarray, "B N D"]:
        with torch.inference_mode():
            batch = Batch(torch.from_numpy(x).float(), torch.from_numpy(known))
            return np.asarray(self.encoder(batch).double().numpy())


class VectorGuess(NamedTuple):
    """Weights (G,D,1) of vectors, by group, of what another guess lacks."""

    model: Model
    weights: Float[np.ndarray, "G D"]

    def guess(self, holes: Holes, base: Float[np.ndarray, "S C"]) -> Float[np.ndarray, "S C"]:
        """Return a guess with what the vectors say added to it."""
        out = base.copy()
        for cells, vectors, group in StepVectors(self.model, base.shape[1]).of(holes, base):
            rows, channels = cells.T
            out[rows, channels] += np.einsum("md,md->m", vectors, self.weights[group])
        return out


def fit_vector_guess(
    model: Model,
    trials: Iterator[tuple[Holes, Float[np.ndarray, "S C"]]],
    truth: Float[np.ndarray, "S C"],
) -> VectorGuess:
    """Fit what a guess lacks of the truth on vectors of steps by ridge regression.

    Args:
        model: whose vectors.
        trials: series in which more and more was hidden, and what was guessed of it.
        truth: what was hidden.
    """
    vectors = StepVectors(model, truth.shape[1])
    G, D = vectors.groups, vectors.encoder.dim
    xx, xy = np.zeros((G, D, D)), np.zeros((G, D))
    for holes, base in trials:
        lacks = truth - base
        for cells, x, group in vectors.of(holes, base):
            y = lacks[cells[:, 0], cells[:, 1]]
            for g in np.unique(group):
                own = x[group == g]
                xx[g] += own.T @ own
                xy[g] += own.T @ y[group == g]
    weights = [
        solve_ridge(a, b[:, None], _PENALTY * mean_variance(a))[:, 0]
        for a, b in zip(xx, xy, strict=True)
    ]
    return VectorGuess(model, np.stack(weights))
