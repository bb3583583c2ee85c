"""Neighbours: parts of one series are positives, those of other series are not."""

from dataclasses import dataclass

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import ClosedForm, Moments
from selftime.objectives.spectral import Spectral
from selftime.settings import check_share
from selftime.views.draws import uniform
from selftime.views.mild import Mild, View
from selftime.views.pairs import crop, integers_between


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A random ``share`` of each series' length, at least one step, seen through another view."""

    share: float = 0.5
    view: View = Mild(strength=0.5)

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Draw a part of every series, anew for each."""
        lengths = x.lengths.clamp(min=1)
        size = (self.share * lengths.double()).round().long().clamp(min=1)  # (B,)
        begin = integers_between(uniform(len(lengths), rng=rng, like=x.values), 0, lengths - size)
        return self.view(crop(x, begin, size), rng)


class Neighbours(ClosedForm):
    """Slow features: what stays the same from one part of a series to the next.

    The objective of slow feature analysis (Wiskott & Sejnowski 2002, section 2) in the form of
    the spectral method, with temporal neighbours as positives (Franceschi et al. 2019, section 3;
    HaoChen et al. 2021): copies of a series are parts of it, so directions that move from part to
    part are scaled away and those that tell one stream from another stay. For windows of long
    recordings, in which what happens lasts longer than a window.

    Attributes:
        encoder: makes the features; not trained.
        beside: an encoder whose vectors are added as they are; or None.
        passage: cuts the parts.
        penalty: as in :class:`selftime.objectives.spectral.Spectral`.
        copies: parts of each series.
        dim: most numbers of an embedding.
    """

    suits = "windows of long recordings in which states last; not for series known by their shape"
    signals = ("series", "sound", "wave", "film")

    def __init__(
        self,
        *,
        encoder: Encoder,
        beside: Encoder | None = None,
        passage: Passage = Passage(),  # noqa: B008
        penalty: float = 0.1,
        copies: int = 10,
        dim: int = 1024,
    ) -> None:
        self.encoder, self.beside, self.passage = encoder, beside, passage
        self.penalty, self.copies, self.dim = penalty, copies, dim
        self.solved = Spectral(
            encoder=encoder, beside=beside, view=passage, penalty=penalty, copies=copies, dim=dim
        )

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoders; fix the centre and the basis from parts of a sample."""
        self.solved.prepare(sample, rng)

    def accumulate(self, batch: Batch, rng: Generator) -> Moments:
        """Draw parts and return the sums of their features."""
        return self.solved.accumulate(batch, rng)

    def solve(self, moments: Moments) -> Encoder:
        """Solve one eigenproblem."""
        return self.solved.solve(moments)
