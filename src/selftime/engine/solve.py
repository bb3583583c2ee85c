"""The closed-form pass over all series, and the samples and random generators of every run."""

import os
import time
from itertools import islice

import numpy as np
import torch
from accelerate.state import PartialState
from torch import Generator

from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of, batches
from selftime.door import tell
from selftime.encoders.base import Encoder
from selftime.engine.threads import map_on_threads
from selftime.objectives.base import ClosedForm, Moments
from selftime.objectives.distributed import place
from selftime.progress import Progress, silent

SAMPLE_SIZE = 1500
"""Series that fix statistics and basis before the pass."""
_SAMPLE_VALUES, _FEWEST = 2**24, 64
"""Values of that sample at most, 64 MB: of long series of many channels it takes fewer."""


def generator(seed: int, part: int) -> Generator:
    """Return the randomness of one part of a run: the same in any order and on any worker."""
    words = np.random.SeedSequence([seed, part]).generate_state(2)
    return torch.Generator().manual_seed((int(words[0]) << 31) ^ int(words[1]))


def sample_of(n: int, seed: int, size: int = SAMPLE_SIZE) -> np.ndarray:
    """Return sorted row numbers of ``size`` of ``n`` series drawn at random, or of all."""
    rng = np.random.default_rng([seed, 1])
    return np.sort(rng.permutation(n)[:size])


def sample_size(series: SeriesSet) -> int:
    """Return how many series fix statistics and basis."""
    values = series.n_channels * int(series.lengths.max())
    return min(len(series), SAMPLE_SIZE, max(_SAMPLE_VALUES // values, _FEWEST))


def sample_for(series: SeriesSet, seed: int) -> np.ndarray:
    """Return sorted row numbers of the series that fix statistics and basis."""
    return sample_of(len(series), seed, sample_size(series))


@torch.no_grad()  # not inference mode: what is learned may be trained further
def fit_closed_form(  # noqa: PLR0913 - all that a pass depends on
    objective: ClosedForm,
    series: SeriesSet,
    scaling: Scaling,
    *,
    seed: int = 0,
    batch_size: int = 64,
    until: float | None = None,
    progress: Progress = silent,
) -> Encoder:
    """Learn an encoder from unlabelled series in one pass: add moments, then solve.

    Processes that `accelerate launch` or `torchrun` started share out the batches, and all learn
    the same encoder, that of a single one within rounding: randomness belongs to the batch, and
    moments add. Memory is bounded by the features of :data:`SAMPLE_SIZE` series and of the copies
    of one batch a thread, not by the number of series. A pass that is not done at ``until``, a time
    of ``time.perf_counter``, ends there, after at least one batch of series in random order.
    """
    first = batch_of(series, sample_for(series, seed))
    rank, world = join_processes()
    objective.prepare(scaling.apply(first), generator(seed, 0))
    moments = None
    order = None if until is None else np.random.default_rng([seed, 2]).permutation(len(series))
    parts = enumerate(batches(series, size=batch_size, order=order), start=1)
    own = islice(parts, rank, None, world)

    @torch.no_grad()  # of threads, which do not know of that of their caller
    def add(numbered: tuple[int, Batch]) -> tuple[int, Moments]:
        part, batch = numbered
        return part, objective.accumulate(scaling.apply(batch), generator(seed, part))

    for part, new in map_on_threads(add, own):
        moments = moments + new if moments else new
        done = min(part * batch_size, len(series))
        progress("learning", done, len(series))
        if until is not None and done < len(series) and time.perf_counter() > until:
            tell([f"learned from {done:,} of {len(series):,} series within the budget"])
            break
    if moments is None:  # more processes than batches: nothing is added, in the same shape
        one = Batch(first.values[:1], first.observed[:1])
        moments = objective.accumulate(scaling.apply(one), generator(seed, 0)).emptied()
    return objective.solve(moments.over_processes())


def join_processes() -> tuple[int, int]:
    """Return the number of this process, and how many a launcher started; let them meet if so."""
    launched = {"RANK", "MASTER_ADDR"} <= os.environ.keys()
    if launched and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        PartialState(cpu=not torch.cuda.is_available())
    return place()
