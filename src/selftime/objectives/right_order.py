"""RightOrder: the network verifies that pieces of a series are in the right order."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.heads import projector
from selftime.objectives.segment_order import check_pieces, embed_pieces, pieces_of, valid_pieces
from selftime.views.draws import uniform
from selftime.views.mild import View
from selftime.views.pairs import same

PIECES = 5
"""a, b, c, d, e of Misra et al. (2016), section 3."""


class RightOrder(Objective):
    """Temporal order verification: shuffle and learn (Misra et al. 2016, section 3).

    Of five pieces a, b, c, d, e, cut from equal parts of a series, (b, c, d) is in order; with a
    or e in the middle it is not. First and last are the same in both, so the middle decides. Each
    series gives one of each, where the paper draws more wrong ones than right ones; pieces are
    not selected by their motion.

    Attributes:
        encoder: what is learned.
        gap: share of each part that is left out at the ends of its piece.
        differences: the judge also sees how far the middle is from first and last in each feature:
            what moves smoothly lies between them. It then knows orders of what it never saw, of
            which a film holds little; the paper has 16 million tuples and goes without.
        width: of the hidden layer that sees the three vectors side by side.
        view: what is seen of the series before it is cut; other content in the same order.
        seed: draws the weights of the judge.

    Raises:
        ValueError: a gap that leaves nothing.
    """

    family = "pretext"
    suits = "series that go through stages; a lighter task than putting segments in order"
    signals = ("series", "text", "sound", "wave", "film")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        *,
        encoder: Encoder,
        gap: float = 0.15,
        differences: bool = False,
        width: int = 128,
        view: View = same,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_pieces(PIECES, gap)
        self.encoder, self.gap, self.differences = encoder, gap, differences
        self.width, self.view, self.seed = width, view, seed
        self.judge = projector((5 if differences else 3) * encoder.dim, width, 1, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Cut, encode each piece, separate b c d from the same with another middle."""
        x = self.view(batch, rng)
        pieces = pieces_of(x, PIECES, self.gap, rng)
        valid = valid_pieces(x, pieces, PIECES)  # (B,5)
        z = embed_pieces(self.encoder, pieces, PIECES)  # (B,5,D)
        late = uniform(len(z), rng=rng, like=z) < 0.5  # (B,)
        right, wrong = self.scores(z, late * 0 + 2), self.scores(z, late * 4)
        loss = order_loss(
            right, wrong, valid[:, 1:4].all(dim=1) & torch.where(late, valid[:, 4], valid[:, 0])
        )
        found = (right > wrong).float().mean().detach()
        return Step(loss, {"accuracy": found}, z.detach().mean(dim=1))

    def scores(self, z: Float[Tensor, "B S D"], middle: Tensor) -> Float[Tensor, "B"]:
        """Score the order of b, the piece ``middle`` (B,) and d."""
        rows = torch.arange(len(z), device=z.device)
        first, between, last = z[:, 1], z[rows, middle], z[:, 3]  # (B,D) each
        seen = [first, between, last]
        if self.differences:
            seen += [(first - between).abs(), (between - last).abs()]
        scores: Tensor = self.judge(torch.cat(seen, dim=1))[:, 0]
        return scores


def order_loss(
    right: Float[Tensor, "B"], wrong: Float[Tensor, "B"], valid: Bool[Tensor, "B"]
) -> Float[Tensor, ""]:
    """Logistic loss of right orders (positive scores) against wrong ones, over the valid series."""
    return mean_where((F.softplus(-right) + F.softplus(wrong)) / 2, valid)
