"""Guesses: a few series, what an objective hid of them, and what it made of that."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float

from selftime.data.batch import Batch
from selftime.data.readers import read
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.data.writers import write
from selftime.engine.solve import generator
from selftime.objectives.base import Objective
from selftime.objectives.distributed import alone

_MOST_SERIES, _MOST_STEPS, _MOST_VALUES = 6, 2048, 60_000
"""Series that are kept, steps of each, and numbers of each; pictures are kept whole."""
_PART = 1 << 40
"""Part of the randomness of a run that nothing else draws from."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Guesses:
    """Series as they are, and the same series with nothing but what was guessed of them.

    Both are in the units of the data, have as many series of the same lengths, and share their
    ids but for a word.
    """

    whole: SeriesSet
    made: SeriesSet

    def __post_init__(self) -> None:
        if not np.array_equal(self.whole.offsets, self.made.offsets):
            raise ValueError("got guesses of other series, wanted one of each, as long as it")

    def hidden(self, i: int) -> Bool[np.ndarray, "C T"]:
        """Return True where something was hidden of series ``i``, and guessed."""
        return np.asarray(np.isfinite(self.made.series(i)))

    def filled(self, i: int) -> Float[np.ndarray, "C T"]:
        """Return series ``i`` with guesses in place of what was hidden."""
        return np.where(self.hidden(i), self.made.series(i), self.whole.series(i))

    def seen(self, i: int) -> Float[np.ndarray, "C T"]:
        """Return series ``i`` as the objective saw it, NaN where something was hidden."""
        return np.where(self.hidden(i), np.nan, self.whole.series(i))

    def save(self, path: Path) -> None:
        """Write both to one ``.npz``, the series first."""
        both = {
            "ids": [*self.whole.ids.astype(str), *(f"guess of {name}" for name in self.whole.ids)],
            "groups": ["as it is"] * len(self.whole) + ["guessed"] * len(self.made),
        }
        values = [part.series(i) for part in (self.whole, self.made) for i in range(len(part))]
        joined = SeriesSet.of(values, channels=self.whole.channels, **both)
        write(replace(joined, kind=self.whole.kind), path, overwrite=True)


def read_guesses(path: Path) -> Guesses | None:
    """Read what :meth:`Guesses.save` wrote; None where there is no such file."""
    if not path.is_file():
        return None
    both = read(path)
    n = len(both) // 2
    return Guesses(whole=both[:n], made=both[n:])


@torch.no_grad()
def guesses_of(objective: Any, series: SeriesSet, scaling: Scaling, seed: int) -> Guesses | None:
    """Let an objective guess parts of a few series, evenly drawn; None where it hides nothing.

    ``series`` are as the scaling measures them.
    """
    rows = np.unique(np.linspace(0, len(series) - 1, _MOST_SERIES).astype(int))
    few = series[rows]
    given = _beginning(few)
    if not isinstance(objective, Objective):
        return None
    with alone():
        guess = objective.guess(scaling.apply(given), generator(seed, _PART))
    if guess is None:
        return None
    units = scaling.scale_of(given)
    whole, made = units.invert(guess.whole), units.invert(Batch(guess.made, guess.hidden))
    kept = (made.observed.any(dim=2).any(dim=1)).numpy()
    if not kept.any():
        return None
    parts = [_series(batch, guess.whole, few, kept) for batch in (whole, made)]
    return Guesses(whole=parts[0], made=parts[1])


def _beginning(few: SeriesSet) -> Batch:
    """Return the first steps of series that follow in time, as many as are kept."""
    batch = batch_of(few)
    if not few.kind.in_time:
        return batch
    most = max(1, min(_MOST_STEPS, _MOST_VALUES // few.n_channels))
    return Batch(batch.values[:, :, :most], batch.observed[:, :, :most])


def _series(batch: Batch, like: Batch, few: SeriesSet, kept: Bool[np.ndarray, "B"]) -> SeriesSet:
    """Return series of a batch that are as long as those of another, NaN where not observed."""
    values = batch.values.masked_fill(~batch.observed, torch.nan).double().cpu().numpy()
    if few.origin is not None:
        values = values + few.origin[:, :, None]
    lengths = like.lengths.tolist()
    rows = np.flatnonzero(kept).tolist()
    made = SeriesSet.of(
        [values[i, :, : lengths[i]] for i in rows], ids=few.ids[rows], channels=few.channels
    )
    return replace(made, kind=few.kind)
