"""Monitors: what the embeddings of a few series say about whether learning works, and warnings of collapse."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.engine.solve import generator, sample_of
from selftime.shapes import Embedding
from selftime.views.mild import Mild

EPSILON = 1e-7
"""Added to each share of the singular values (RankMe, equation 1)."""


def spread(z: Embedding) -> float:
    """How differently embeddings point: 1 when healthy, 0 when collapsed.

    √D times the mean over the D features of the standard deviation of z / ‖z‖ (Chen & He 2021,
    SimSiam, section 4.1 and figure 2, whose healthy 1/√D is 1 here). The deviation divides by N,
    so that 1 is the most there can be. Untrained networks give all series nearly the same
    vector: 0.006 to 0.35 before training is usual, and what counts is that it does not fall.
    """
    return float(unit(z).std(dim=0, correction=0).mean() * math.sqrt(z.shape[1]))


def effective_rank(z: Embedding) -> float:
    """In how many directions embeddings differ: from 1 (collapsed) to min(N,D).

    RankMe (Garrido et al. 2023, equation 1): exp(−Σ pₖ log pₖ) with pₖ = σₖ / Σσ + ε of the
    singular values σ, ε = 1e-7. A mean that all share is one large σ: take it off to measure in
    what embeddings differ. NaN where they are not finite.
    """
    if not bool(z.isfinite().all()):
        return math.nan
    sizes = torch.linalg.svdvals(z.double())  # (min(N,D),)
    if float(sizes[0]) == 0:
        return 1.0
    share = sizes / sizes.sum() + EPSILON
    return float((-share * share.log()).sum().exp())


def alignment(a: Embedding, b: Embedding) -> float:
    """How far two views of a series lie apart: 0 when they are the same, 2 when unrelated.

    The mean of ‖a − b‖² over pairs of unit vectors (Wang & Isola 2020, equation 1 with α = 2).
    It is low in collapse too: read it beside :func:`uniformity`.
    """
    return float((unit(a) - unit(b)).square().sum(dim=1).mean())


def uniformity(z: Embedding, t: float = 2.0) -> float:
    """How evenly embeddings fill the sphere: 0 when all are the same, about −2t when even.

    The logarithm of the mean of exp(−t ‖x − y‖²) over all pairs of different rows, as unit
    vectors (Wang & Isola 2020, equation 2, with their t = 2). NaN where there is no pair.
    """
    x = unit(z)
    if len(x) < 2:
        return math.nan
    nearness = -t * torch.pdist(x).square()  # (N(N-1)/2,)
    return float(nearness.logsumexp(dim=0)) - math.log(len(nearness))


def neighbour_accuracy(z: Embedding, labels: Int[Tensor, " B"]) -> float:
    """Share of rows whose nearest other row, by cosine, has the same label; NaN for one row.

    The online probe of self-supervised learning in its simplest form (Wu et al. 2018, section
    3.4, with one neighbour). Labels are looked at, never learned from. Chance is the share of the
    most frequent class: compare with the value before training.
    """
    x = unit(z)
    if len(x) < 2 or not bool(x.isfinite().all()):
        return math.nan
    likeness = (x @ x.T).fill_diagonal_(-torch.inf)
    return float((labels[likeness.argmax(dim=1)] == labels).double().mean())


def length(z: Embedding) -> float:
    """The mean of ‖z‖: all other monitors but the rank see directions only."""
    return float(torch.linalg.vector_norm(z.double(), dim=1).mean())


def unit(z: Embedding) -> Float64[Tensor, "B D"]:
    """Rows of length 1 in double precision, however short they were; a row of zeros stays one."""
    size = torch.linalg.vector_norm(z.double(), dim=1, keepdim=True)  # (B,1)
    vectors: Tensor = z.double() / size.masked_fill(size == 0, 1.0)
    return vectors


class Monitor(NamedTuple):
    """What a monitor says, when it is healthy, and what to do when it is not.

    Attributes:
        name: as in readings.
        about: what it means, in one line.
        low: lower end of the healthy range.
        high: upper end.
        remedy: what to change first.
    """

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
        Monitor("spread", "how differently vectors point: 0 collapsed, 1 most", 0.001, 1.0, APART),
        Monitor("rank", "in how many directions vectors differ", 1.5, math.inf, WEAKER),
        Monitor("alignment", "distance of two views: 0 same, 2 unrelated", 0.0, 0.5, WEAKER),
        Monitor("uniformity", "0 all alike, lower is more even", -math.inf, -4e-6, APART),
        Monitor("knn", "share of nearest neighbours of the same label", 0.0, 1.0, "train longer"),
        Monitor("length", "mean length of vectors", 0.0, math.inf, "lower the weight decay"),
        Monitor("gradient_norm", "length of the gradient", 0.0, math.inf, "clip it (clip=1)"),
    )
}
"""Every monitor of a run; the loop measures the last. The ranges held before training and at the
end of 194 healthy runs. They are wide, since untrained networks differ so much: collapse is a fall,
which ``watching`` looks for."""


MOST = 128
"""Most series that are watched: reading them stays cheap beside training."""

# Thresholds are from 374 runs of 100 to 600 steps (AdamW, mostly rate 1e-3; dilated, residual,
# recurrent and Transformer networks; 20 open sets), the "healthy runs" and "by step 50" below.
SAME = 1e-4
"""Complete collapse at once: a smaller spread. Healthy runs, untrained ones too: 0.0015 up."""
ALIKE = 0.08
"""A larger spread is no collapse yet, however much it fell: a healthy Transformer fell to 0.26 of
its start, at a spread of 0.1. Attraction alone came to 0.061 or less by step 50."""
FALLS, SLID = 4, 0.6
"""Slow collapse: a spread below ALIKE and this share of the start, after so many falls in a row.
Healthy runs after 4 falls: 0.62, the others 0.94 up. Attraction alone by step 50: 0.57 or less."""
SUNK = 0.1
"""Fast collapse: below ALIKE and this share of the start, twice in a row. Healthy runs: 0.5 up, at
temperature 0.001 0.16 up. The 43rd run of attraction alone: 0.098, where it stayed."""
LINE, NARROWED = 1.5, 0.6
"""Dimensional collapse: a rank below both this and this share of the start, twice in a row. Healthy
runs: 1.75 up, but for two recurrent ones that did end on a line, at 1.02 and 1.14."""
FEW = 0.12
"""Dimensional collapse too: a rank below this share of the start, twice in a row. Healthy runs:
0.18 up. Where one direction was the objective, dilated convolutions came to 0.05 to 0.23."""
SHRUNK, BLOWN = 0.1, 1e4
"""Lengths below (twice in a row) and above these shares of the start. Healthy runs: 0.32 to 260.
By step 50: weight decay of 100, 0.08 or less; a rate of 0.3, up to 1e18."""
SETTLED = 10
"""Batches after which running statistics (batch normalisation) describe the data."""

Numbers = dict[str, float]
"""Value of each monitor by its name."""


class CollapseWarning(NamedTuple):
    """A monitor that left its range.

    Attributes:
        monitor: its name.
        message: value, what is healthy, and one remedy.
    """

    monitor: str
    message: str


class Readings(NamedTuple):
    """What the monitors say after a step.

    Attributes:
        monitors: value by name; those that are no number are left out.
        warnings: what has gone wrong since the reading before, if anything.
    """

    monitors: Numbers
    warnings: list[CollapseWarning]


class CollapseMonitor:
    """Reads the monitors on fixed series, whose embeddings it compares with those before training.

    Untrained networks give all series nearly the same vector, so a small spread alone says
    nothing; that it falls does. Read before the first step and then every 10 steps up to step 50:
    a collapse is told by then, from three or five readings. The rank is that of unit vectors
    less their mean, since a mean that all share would hide in how many directions they differ.

    Attributes:
        x: 2 to 128 series.
        view: another view of each, drawn once.
        labels: (B,) classes, looked at for the ``knn`` monitor only; or None.
        start: what the first reading said; later ones are held against it.
        history: readings so far, the first included.

    Raises:
        ValueError: too few or too many series, or another number of labels.
    """

    def __init__(
        self, x: Batch, rng: Generator, *, labels: Int[Tensor, " B"] | None = None
    ) -> None:
        count = len(x.values)
        if not 2 <= count <= MOST:
            raise ValueError(f"got {count} series to watch, wanted 2 to {MOST}: take a sample")
        if labels is not None and len(labels) != count:
            raise ValueError(f"got {len(labels)} labels for {count} series: give one each, or None")
        self.x, self.labels = x, labels
        self.view = Mild(strength=0.5)(x, rng)
        self.start: Numbers = {}
        self.history: list[Numbers] = []
        self.known: set[str] = set()

    def recall(self, readings: Sequence[Numbers]) -> None:
        """Take up what was read before a run was stopped."""
        if readings:
            self.start, self.history = dict(readings[0]), [dict(read) for read in readings]

    def read(self, encoder: Encoder, step: int) -> Readings:
        """Embed the series and their views, in evaluation mode, and judge.

        Args:
            encoder: as it is after the step; the mode of each of its parts is given back.
            step: how many steps are done, for the messages.
        """
        device = next(encoder.parameters(), self.x.values).device
        with evaluating(encoder), torch.inference_mode():
            a, b = (encoder.embed(x.to(device)).cpu() for x in (self.x, self.view))
        read = measured(a, b, self.labels)
        if bool(a.isfinite().all() and b.isfinite().all()):
            self._keep(read, is_settled(encoder))
            warned = list(judged(self.start, self.history))
        else:
            warned = [diverged("embeddings are not finite")]
        fresh = [CollapseWarning(w.monitor, f"at step {step} {w.message}") for w in warned]
        told = [w for w in fresh if w.monitor not in self.known]
        self.known = {w.monitor for w in warned}
        return Readings({k: value for k, value in read.items() if math.isfinite(value)}, told)

    def _keep(self, read: Numbers, is_ready: bool) -> None:
        """Until running statistics have settled, the start is the largest of what was read."""
        if not self.history:
            self.start = {k: max(v, self.start.get(k, v)) for k, v in read.items()}
        if is_ready:
            self.history.append(read)


def measured(a: Embedding, b: Embedding, labels: Int[Tensor, " B"] | None) -> Numbers:
    """Every monitor on embeddings ``a`` of series and ``b`` of their views."""
    directions = unit(a)
    read = {
        "spread": spread(a),
        "rank": effective_rank(directions - directions.mean(dim=0)),
        "alignment": alignment(a, b),
        "uniformity": uniformity(a),
        "length": length(a),
    }
    return read if labels is None else read | {"knn": neighbour_accuracy(a, labels)}


def judged(start: Numbers, history: Sequence[Numbers]) -> Iterator[CollapseWarning]:
    """What is wrong at the last of some readings.

    Args:
        start: what was read before training.
        history: readings since then, oldest first.
    """
    for name, judge in (("spread", alike), ("rank", narrowed), ("length", resized)):
        values = [read[name] for read in history]
        if values:
            yield from judge(start[name], values)


def alike(start: float, spreads: Sequence[float]) -> Iterator[CollapseWarning]:
    """Complete collapse: all series get nearly the same vector."""
    now, recent = spreads[-1], spreads[-FALLS - 1 :]
    falls = len(recent) > FALLS and all(after < before for before, after in pairwise(recent))
    limits = [SAME]
    if falls:
        limits.append(min(ALIKE, SLID * start))
    if twice_below(spreads, min(ALIKE, SUNK * start)):
        limits.append(min(ALIKE, SUNK * start))
    if now < max(limits):
        yield warning("spread", now, start, max(limits), "series become alike (collapse)")


def narrowed(start: float, ranks: Sequence[float]) -> Iterator[CollapseWarning]:
    """Dimensional collapse: vectors differ in hardly more than one direction."""
    limit = max(min(LINE, NARROWED * start), FEW * start)
    if twice_below(ranks, limit):
        text = "vectors differ in few directions (dimensional collapse)"
        yield warning("rank", ranks[-1], start, limit, text)


def resized(start: float, lengths: Sequence[float]) -> Iterator[CollapseWarning]:
    """Vectors that shrink to nothing, or grow out of hand."""
    if twice_below(lengths, SHRUNK * start):
        yield warning("length", lengths[-1], start, SHRUNK * start, "vectors shrink to nothing")
    if lengths[-1] > BLOWN * start:
        yield diverged(f"length is {lengths[-1]:.2g}, {start:.2g} at the start")


def twice_below(values: Sequence[float], limit: float) -> bool:
    """Whether the last two are below a limit: a single one may be chance."""
    return len(values) > 1 and max(values[-2:]) < limit


def warning(name: str, now: float, start: float, limit: float, finding: str) -> CollapseWarning:
    """Value, healthy range and remedy in words."""
    high = MONITORS[name].high
    healthy = f"at least {limit:.2g}" if math.isinf(high) else f"{limit:.2g} to {high:g}"
    text = f"{name} is {now:.2g}, healthy is {healthy} (it was {start:.2g} at the start)"
    return CollapseWarning(name, f"{text}: {finding}; {MONITORS[name].remedy}")


def diverged(finding: str) -> CollapseWarning:
    """Embeddings that are no numbers any more, or soon will not be."""
    return CollapseWarning(
        "length",
        f"{finding}, healthy are finite lengths: training diverged; lower the learning rate",
    )


def is_settled(encoder: nn.Module) -> bool:
    """Whether running statistics, where there are any, describe the data already."""
    counts = [b for name, b in encoder.named_buffers() if name.endswith("num_batches_tracked")]
    return all(int(count) >= SETTLED for count in counts)


WATCHED = 32
"""Series of a run whose embeddings the monitors read."""


def monitor_of(series: SeriesSet, scaling: Scaling, seed: int) -> CollapseMonitor:
    """Monitors on some of the series; labels, where there are any, are only looked at."""
    rows, labels = sample_of(len(series), seed, WATCHED), None
    if series.labels is not None:
        labels = torch.from_numpy(np.unique(series.labels[rows], return_inverse=True)[1])
    x = scaling.apply(batch_of(series, rows))
    return CollapseMonitor(x, generator(seed, 0), labels=labels)


@contextmanager
def evaluating(encoder: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; then every part is in the mode it was in."""
    modes = [(part, part.training) for part in encoder.modules()]
    encoder.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
