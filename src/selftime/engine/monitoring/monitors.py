"""Monitors of the embeddings of a few series during a run, and warnings of collapse."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int
from torch import Generator, Tensor, nn

from selftime.data.arrays import number_classes
from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.engine.solve import generator, sample_of
from selftime.shapes import Embedding
from selftime.views.mild import Mild, View
from selftime.views.registry import view_of

EPSILON = 1e-7
"""Added to each share of the singular values (RankMe, equation 1)."""


def unit_std(z: Embedding) -> float:
    """Return how much directions of embeddings vary: 1 when healthy, 0 when collapsed.

    √D times the mean over the D features of the standard deviation of z / ‖z‖ (Chen & He 2021,
    SimSiam, section 4.1 and figure 2, whose healthy 1/√D is 1 here). The deviation divides by N,
    so that 1 is the most there can be. Untrained networks give all series nearly the same
    vector: 0.006 to 0.35 before training is usual, and what counts is that it does not fall.
    """
    return float(unit(z).std(dim=0, correction=0).mean() * math.sqrt(z.shape[1]))


def effective_rank(z: Embedding) -> float:
    """Return the number of directions embeddings differ in: from 1 (collapsed) to min(N,D).

    RankMe (Garrido et al. 2023, equation 1): exp(−Σ pₖ log pₖ) with pₖ = σₖ / Σσ + ε of the
    singular values σ, ε = 1e-7. A mean that all share is one large σ: subtract it to measure
    differences. NaN where embeddings are not finite.
    """
    if not bool(z.isfinite().all()):
        return math.nan
    sizes = torch.linalg.svdvals(z.double())  # (min(N,D),)
    if float(sizes[0]) == 0:
        return 1.0
    share = sizes / sizes.sum() + EPSILON
    return float((-share * share.log()).sum().exp())


def alignment(a: Embedding, b: Embedding) -> float:
    """Return the distance of two views of a series: 0 when they are the same, 2 when unrelated.

    The mean of ‖a − b‖² over pairs of unit vectors (Wang & Isola 2020, equation 1 with α = 2).
    It is low in collapse too: read it beside :func:`uniformity`.
    """
    return float((unit(a) - unit(b)).square().sum(dim=1).mean())


def uniformity(z: Embedding, t: float = 2.0) -> float:
    """Return how evenly embeddings fill the sphere: 0 when all are the same, about −2t when even.

    The logarithm of the mean of exp(−t ‖x − y‖²) over all pairs of different rows, as unit
    vectors (Wang & Isola 2020, equation 2, with their t = 2). NaN where there is no pair.
    """
    x = unit(z)
    if len(x) < 2:
        return math.nan
    nearness = -t * torch.pdist(x).square()  # (N(N-1)/2,)
    return float(nearness.logsumexp(dim=0)) - math.log(len(nearness))


def neighbour_accuracy(z: Embedding, labels: Int[Tensor, " B"]) -> float:
    """Return the share of rows whose nearest other row, by cosine, has the same label.

    The online probe of self-supervised learning in its simplest form (Wu et al. 2018, section
    3.4, with one neighbour). Chance is the share of the most frequent class: compare with the
    value before training. NaN for one row.
    """
    x = unit(z)
    if len(x) < 2 or not bool(x.isfinite().all()):
        return math.nan
    similarity = (x @ x.T).fill_diagonal_(-torch.inf)
    return float((labels[similarity.argmax(dim=1)] == labels).double().mean())


def length(z: Embedding) -> float:
    """Return the mean of ‖z‖: the other monitors see directions only."""
    return float(torch.linalg.vector_norm(z.double(), dim=1).mean())


def unit(z: Embedding) -> Float64[Tensor, "B D"]:
    """Return rows of length 1 in double precision; a row of zeros stays one."""
    size = torch.linalg.vector_norm(z.double(), dim=1, keepdim=True)  # (B,1)
    vectors: Tensor = z.double() / size.masked_fill(size == 0, 1.0)
    return vectors


class Monitor(NamedTuple):
    """A monitor: its meaning, its healthy range, and the first thing to change outside it."""

    name: str
    about: str
    low: float
    high: float
    remedy: str


APART = "choose an objective that pushes series apart (simclr has negatives)"
WEAKER = "weaken the views (a lower strength)"

MONITORS: dict[str, Monitor] = {
    monitor.name: monitor
    for monitor in (
        Monitor("std", "how much directions vary: 0 collapsed, 1 most", 0.001, 1.0, APART),
        Monitor("rank", "number of directions vectors differ in", 1.5, math.inf, WEAKER),
        Monitor("alignment", "distance of two views: 0 same, 2 unrelated", 0.0, 0.5, WEAKER),
        Monitor("uniformity", "0 all the same, lower is more even", -math.inf, -4e-6, APART),
        Monitor("knn", "share of nearest neighbours of the same label", 0.0, 1.0, "train longer"),
        Monitor("length", "mean length of vectors", 0.0, math.inf, "lower the weight decay"),
        Monitor("gradient_norm", "length of the gradient", 0.0, math.inf, "clip it (clip=1)"),
    )
}
"""Every monitor of a run; the loop measures the last. The ranges held before training and at the
end of 194 healthy runs. They are wide, since untrained networks differ so much: collapse is a fall,
which :class:`CollapseMonitor` looks for."""

MAX_SERIES = 128
"""Most series that are monitored: reading them stays cheap beside training."""

# Thresholds are from 374 runs of 100 to 600 steps (AdamW, mostly rate 1e-3; dilated, residual,
# recurrent and Transformer networks; 20 open sets), the "healthy runs" and "by step 50" below.
COLLAPSED_STD = 1e-4
"""Complete collapse at once: a smaller std. Healthy runs, untrained ones too: 0.0015 up."""
SUSPECT_STD = 0.08
"""A larger std is no collapse yet, however much it fell: a healthy Transformer fell to 0.26 of
its start, at a std of 0.1. Attraction alone came to 0.061 or less by step 50."""
FALLS, SLOW_SHARE = 4, 0.6
"""Slow collapse: a suspect std below this share of the start, after so many falls in a row.
Healthy runs after 4 falls: 0.62, the others 0.94 up. Attraction alone by step 50: 0.57 or less."""
FAST_SHARE = 0.1
"""Fast collapse: a suspect std below this share of the start, twice in a row. Healthy runs: 0.5 up,
at temperature 0.001 0.16 up. The 43rd run of attraction alone: 0.098, where it stayed."""
LINE_RANK, LINE_SHARE = 1.5, 0.6
"""Dimensional collapse: a rank below both this and this share of the start, twice in a row. Healthy
runs: 1.75 up, but for two recurrent ones that did end on a line, at 1.02 and 1.14."""
RANK_SHARE = 0.12
"""Dimensional collapse too: a rank below this share of the start, twice in a row. Healthy runs:
0.18 up. Where one direction was the objective, dilated convolutions came to 0.05 to 0.23."""
TOO_SHORT, TOO_LONG = 0.1, 1e4
"""Lengths below (twice in a row) and above these shares of the start. Healthy runs: 0.32 to 260.
By step 50: weight decay of 100, 0.08 or less; a rate of 0.3, up to 1e18."""
SETTLED = 10
"""Batches after which running statistics (batch normalisation) describe the data."""

Numbers = dict[str, float]
"""Value of each monitor by its name."""


class CollapseWarning(NamedTuple):
    """A monitor that left its range: the message says value, healthy range and one remedy."""

    monitor: str
    message: str


class Readings(NamedTuple):
    """Finite values of the monitors after a step, and what has gone wrong since the one before."""

    monitors: Numbers
    warnings: list[CollapseWarning]


class CollapseMonitor:
    """Reads the monitors on 2 to 128 fixed series, and compares them with those before training.

    Untrained networks give all series nearly the same vector, so a small std alone says nothing;
    that it falls does. Read it before the first step and then every 10 steps up to step 50: a
    collapse shows by then in three or five readings. The rank is that of unit vectors less their
    mean, since a mean that all share would hide in how many directions they differ. Labels (B,),
    -1 where there is none, are read for the ``knn`` monitor only; ``view`` makes the views that
    ``alignment`` compares them with; ``history`` holds all readings, the first included.
    """

    def __init__(
        self,
        x: Batch,
        rng: Generator,
        *,
        labels: Int[Tensor, " B"] | None = None,
        view: View = Mild(strength=0.5),  # noqa: B008
    ) -> None:
        count = len(x.values)
        if not 2 <= count <= MAX_SERIES:
            raise ValueError(f"got {count} series to monitor, wanted 2 to {MAX_SERIES}: take some")
        if labels is not None and len(labels) != count:
            raise ValueError(f"got {len(labels)} labels for {count} series: give one each, or None")
        self.x, self.labels = x, labels
        self.view = view(x, rng)
        self.start: Numbers = {}
        self.history: list[Numbers] = []
        self.known: set[str] = set()

    def recall(self, readings: Sequence[Numbers]) -> None:
        """Take up what was read before a run was stopped."""
        if readings:
            self.start, self.history = dict(readings[0]), [dict(read) for read in readings]

    def read(self, encoder: Encoder, step: int) -> Readings:
        """Embed the series and their views, in evaluation mode, and judge them after ``step``."""
        device = next(encoder.parameters(), self.x.values).device
        with evaluating(encoder), torch.inference_mode():
            a, b = (encoder.embed(x.to(device)).cpu() for x in (self.x, self.view))
        read = measure(a, b, self.labels)
        if bool(a.isfinite().all() and b.isfinite().all()):
            if not self.history:  # until running statistics have settled: the largest reading
                self.start = {k: max(v, self.start.get(k, v)) for k, v in read.items()}
            if is_settled(encoder):
                self.history.append(read)
            warned = list(find_collapse(self.start, self.history))
        else:
            warned = [divergence("embeddings are not finite")]
        fresh = [CollapseWarning(w.monitor, f"at step {step} {w.message}") for w in warned]
        new = [w for w in fresh if w.monitor not in self.known]
        self.known = {w.monitor for w in warned}
        return Readings({k: value for k, value in read.items() if math.isfinite(value)}, new)


def measure(a: Embedding, b: Embedding, labels: Int[Tensor, " B"] | None) -> Numbers:
    """Return every monitor on embeddings ``a`` of series and ``b`` of their views."""
    directions = unit(a)
    read = {
        "std": unit_std(a),
        "rank": effective_rank(directions - directions.mean(dim=0)),
        "alignment": alignment(a, b),
        "uniformity": uniformity(a),
        "length": length(a),
    }
    if labels is None:
        return read
    known = labels >= 0
    return read | {"knn": neighbour_accuracy(a[known], labels[known])}


def find_collapse(start: Numbers, history: Sequence[Numbers]) -> Iterator[CollapseWarning]:
    """Yield what is wrong at the last of some readings, given those before training."""
    checks = {"std": check_std, "rank": check_rank, "length": check_length}
    for name, check in checks.items() if history else ():
        yield from check(start[name], [read[name] for read in history])


def check_std(start: float, stds: Sequence[float]) -> Iterator[CollapseWarning]:
    """Yield a warning of complete collapse: all series get nearly the same vector."""
    now, recent = stds[-1], stds[-FALLS - 1 :]
    limits = [COLLAPSED_STD]
    if len(recent) > FALLS and all(after < before for before, after in pairwise(recent)):
        limits.append(min(SUSPECT_STD, SLOW_SHARE * start))
    if twice_below(stds, min(SUSPECT_STD, FAST_SHARE * start)):
        limits.append(min(SUSPECT_STD, FAST_SHARE * start))
    if now < max(limits):
        yield warning("std", now, start, max(limits), "series become similar (collapse)")


def check_rank(start: float, ranks: Sequence[float]) -> Iterator[CollapseWarning]:
    """Yield a warning of dimensional collapse: vectors differ in hardly more than one direction."""
    limit = max(min(LINE_RANK, LINE_SHARE * start), RANK_SHARE * start)
    if twice_below(ranks, limit):
        text = "vectors differ in few directions (dimensional collapse)"
        yield warning("rank", ranks[-1], start, limit, text)


def check_length(start: float, lengths: Sequence[float]) -> Iterator[CollapseWarning]:
    """Yield a warning of vectors that shrink to nothing, or grow out of hand."""
    if twice_below(lengths, TOO_SHORT * start):
        yield warning("length", lengths[-1], start, TOO_SHORT * start, "vectors shrink to nothing")
    if lengths[-1] > TOO_LONG * start:
        yield divergence(f"length is {lengths[-1]:.2g}, {start:.2g} at the start")


def twice_below(values: Sequence[float], limit: float) -> bool:
    """Return whether the last two are below a limit: a single one may be chance."""
    return len(values) > 1 and max(values[-2:]) < limit


def warning(name: str, now: float, start: float, limit: float, finding: str) -> CollapseWarning:
    """Return a warning with value, healthy range and remedy."""
    high = MONITORS[name].high
    healthy = f"at least {limit:.2g}" if math.isinf(high) else f"{limit:.2g} to {high:g}"
    text = f"{name} is {now:.2g}, healthy is {healthy} (it was {start:.2g} at the start)"
    return CollapseWarning(name, f"{text}: {finding}; {MONITORS[name].remedy}")


def divergence(finding: str) -> CollapseWarning:
    """Return a warning of embeddings that are not finite, or soon will not be."""
    advice = "healthy are finite lengths: training diverged; lower the learning rate"
    return CollapseWarning("length", f"{finding}, {advice}")


def is_settled(encoder: nn.Module) -> bool:
    """Return whether running statistics, where there are any, describe the data already."""
    counts = [b for name, b in encoder.named_buffers() if name.endswith("num_batches_tracked")]
    return all(int(count) >= SETTLED for count in counts)


def monitor_of(series: SeriesSet, scaling: Scaling, seed: int) -> CollapseMonitor:
    """Return the monitor of a run, on 32 of its series."""
    rows, labels = sample_of(len(series), seed, 32), None
    if series.labels is not None:
        codes = number_classes(series.labels[rows])[1]
        labels = torch.from_numpy(codes) if (codes >= 0).sum() > 1 else None
    x = scaling.apply(batch_of(series, rows))
    view = view_of(series.kind, strength=0.5)
    return CollapseMonitor(x, generator(seed, 0), labels=labels, view=view)


@contextmanager
def evaluating(encoder: nn.Module) -> Iterator[None]:
    """Put an encoder in evaluation mode for a while, then each part in the mode it was in."""
    modes = [(part, part.training) for part in encoder.modules()]
    encoder.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
