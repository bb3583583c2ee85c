"""TNC: neighbouring windows are distinguished from distant ones."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import projector
from selftime.settings import check_count, check_share, check_strength
from selftime.shapes import Lengths
from selftime.views.draws import normal, uniform
from selftime.views.pairs import crop, integers_between


@dataclass(frozen=True, kw_only=True)
class Neighbourhoods:
    """Anchor windows of each series, for each a neighbour and a window that lies far away.

    A window is a share of each series' own length, at least a step. Neighbours begin at a normal
    distance from the anchor, with ``std`` in windows; distant windows share no step with it and lie
    anywhere else, or where there is no such place, at the farther end of the series. The paper
    widens a neighbourhood until a test (ADF) finds it no longer stationary; here its width is a
    fixed share of the window, which needs no test for every window and suits any length.
    """

    anchors: int = 4
    window: float = 0.25
    std: float = 0.5

    def __post_init__(self) -> None:
        check_count("anchors", self.anchors, 1)
        check_share("window", self.window)
        check_strength("std", self.std)

    def __call__(self, x: Batch, rng: Generator) -> tuple[Batch, Batch, Batch]:
        """Draw anchors, neighbours and distant windows: row i*A + a is the a-th of series i."""
        rows = Batch(*(part.repeat_interleave(self.anchors, dim=0) for part in x))
        lengths = rows.lengths.clamp(min=1)
        size = (lengths * self.window).long().clamp(min=1)
        last = lengths - size  # the last step at which a window can begin
        position, far_position = uniform(2, len(lengths), rng=rng, like=x.values)
        moves = normal(len(lengths), rng=rng, like=x.values)
        begin = integers_between(position, 0, last)
        near = (begin + (moves * self.std * size).round().long()).clamp(min=0).minimum(last)
        far = distant_starts(begin, size, last, far_position)
        return crop(rows, begin, size), crop(rows, near, size), crop(rows, far, size)


def distant_starts(
    begin: Int[Tensor, "B"], size: Lengths, last: Int[Tensor, "B"], draw: Tensor
) -> Int[Tensor, "B"]:
    """Return starts up to ``last`` of windows clear of those at ``begin``; else the farther end."""
    before = (begin - size + 1).clamp(min=0)  # how many places there are
    behind = (last - begin - size + 1).clamp(min=0)
    pick = integers_between(draw, 0, (before + behind - 1).clamp(min=0))
    place = pick + (begin + size - before) * (pick >= before)
    farther = last * (last - begin > begin)
    return place.where(before + behind > 0, farther)


class TNC(Objective):
    """Temporal neighbourhood coding (Tonekaboni et al. 2021, section 3, algorithm 1).

    Attributes:
        encoder: what is learned.
        windows: draws the windows that are compared.
        similar: probability w that distant windows are similar.
        width: of the hidden layer of the discriminator.
        seed: draws the weights of the discriminator.

    Raises:
        ValueError: a probability or a width out of range.
    """

    family = "contrastive"
    suits = "long recordings whose state changes over time; one series is enough"
    signals = ("series", "text", "sound", "wave", "film")
    recipe = Recipe(batch_size=16, rate=1e-3, weight_decay=1e-5, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        windows: Neighbourhoods = Neighbourhoods(),  # noqa: B008
        similar: float = 0.05,  # section 4, of simulated data
        width: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_share("similar", similar)
        check_count("width", width, 1)
        self.encoder, self.windows = encoder, windows
        self.similar, self.width, self.seed = similar, width, seed
        self.discriminate = projector(2 * encoder.dim, width, 1, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Windows, encode, discriminate."""
        anchor, near, far = (distribute(self.encoder.embed, x) for x in self.windows(batch, rng))
        pairs = (torch.cat([anchor, z], dim=1) for z in (near, far))  # (B*A,2·D)
        near, far = (self.discriminate(pair)[:, 0] for pair in pairs)  # (B*A,)
        loss = neighbourhood_loss(near, far, self.similar)
        return Step(loss, {}, anchor[:: self.windows.anchors].detach())


def neighbourhood_loss(
    near: Float[Tensor, "N"], far: Float[Tensor, "N"], similar: float
) -> Float[Tensor, ""]:
    """−[log D(near) + (1 − w) log(1 − D(far)) + w log D(far)] (Tonekaboni et al. 2021, eq. 2)."""
    # Distant windows are not negatives but unlabelled: with probability w they are similar.
    apart = (1 - similar) * F.softplus(far) + similar * F.softplus(-far)
    return (F.softplus(-near) + apart).mean()
