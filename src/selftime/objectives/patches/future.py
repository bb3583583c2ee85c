"""Past and future of series: where they are cut, and what is predicted of one from the other."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.objectives.parts.heads import weights_from
from selftime.settings import check_count
from selftime.shapes import Lengths
from selftime.views.draws import uniform
from selftime.views.pairs import crop, integers_between


class Cut(NamedTuple):
    """Where series end their past, and how much of their future counts.

    Attributes:
        past: (B,) steps before the cut.
        size: (B,) steps of a segment of the future.
        segments: K, how many of them follow one another from the cut on.
    """

    past: Lengths
    size: Lengths
    segments: int

    def before(self, x: Batch) -> Batch:
        """The past of each series (B rows), alone."""
        return crop(x, self.past * 0, self.past)

    def after(self, x: Batch) -> Batch:
        """The segments, each a series of its own: row i*K + k is the k-th of series i.

        Segments stop where their series does; those behind its end are unobserved.
        """
        K = self.segments
        begin = self.past[:, None] + self.size[:, None] * torch.arange(K, device=self.past.device)
        left = (x.lengths[:, None] - begin).flatten()  # (B*K,)
        size = self.size.repeat_interleave(K).minimum(left).clamp(min=1)
        rows = Batch(*(part.repeat_interleave(K, dim=0) for part in x))
        found = crop(rows, begin.flatten(), size)
        observed = found.observed & (left > 0)[:, None, None]
        return Batch(found.values.where(observed, 0.0), observed)

    def valid(self, future: Batch) -> Bool[Tensor, "B K"]:
        """Segments of which anything was observed."""
        return future.observed.flatten(1).any(dim=1).view(-1, self.segments)


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """Cuts each series in a past and some segments of future that follow it.

    A segment takes the same share of every series, so the k-th is always as far ahead. Where the
    cut lies is drawn once a batch, as a share of each series' own length, so that equal lengths
    stay equal; the past has at least one step, and as many as a segment if the series is long
    enough. A series of fewer steps has fewer segments; that of a single step has none.

    Attributes:
        segments: K, of the future.
        share: of a series that each of them takes.

    Raises:
        ValueError: no segments, or segments that leave no past.
    """

    segments: int = 4
    share: float = 0.125

    def __post_init__(self) -> None:
        check_count("segments", self.segments, 1)
        if not (self.share > 0 and self.segments * self.share < 1):
            raise ValueError(
                f"got {self.segments} segments that take {self.share:g} of a series each, wanted "
                "more than 0 and less than 1 in all: use segments=4, share=0.125"
            )

    def __call__(self, x: Batch, rng: Generator) -> Cut:
        """Where the series of a batch are cut."""
        lengths = x.lengths.clamp(min=1)
        size = (lengths * self.share).long().clamp(min=1)
        latest = (lengths - self.segments * size).clamp(min=1)
        draw = uniform(1, rng=rng, like=x.values)
        return Cut(integers_between(draw, size.minimum(latest), latest), size, self.segments)


class Predictor(nn.Module):
    """One linear map W_k for each segment: from a context to what that segment looks like.

    van den Oord et al. 2018, section 2.3, after equation 3; without biases. First weights are small
    enough that scores zᵀ W_k c of vectors of numbers about 1 are about 1 too, whatever D is.
    """

    def __init__(self, inner: int, outer: int, segments: int, *, seed: int) -> None:
        super().__init__()
        draw = torch.rand(segments, outer, inner, generator=weights_from(seed))
        self.weight = nn.Parameter((2 * draw - 1) * (3 / (inner * outer)) ** 0.5)

    def forward(self, context: Float[Tensor, "B E"]) -> Float[Tensor, "B K D"]:
        """W_k c for every segment (B,K,D) of contexts (B,E)."""
        return torch.einsum("kde,be->bkd", self.weight, context)
