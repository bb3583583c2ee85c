"""ArrowOfTime: the network predicts the direction in which a series runs."""

import torch.nn.functional as F
from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import projector
from selftime.objectives.transformation import accuracy, balanced_labels
from selftime.views.mild import View
from selftime.views.pairs import RandomCrop
from selftime.views.timing import identity_positions, resample, reversed_where


class ArrowOfTime(Objective):
    """Forwards or backwards (Wei et al. 2018, section 3).

    Half of the series of each batch are reversed, drawn anew each time. Series that are the same
    both ways teach nothing: symmetric ones, and stationary Gaussian noise of any spectrum.

    Attributes:
        encoder: what is learned.
        view: applied before some are reversed; crops, so that the beginning and the end of a
            recording do not decide.
        width: of the hidden layer of the classifier.
        seed: draws the weights of the classifier.
    """

    family = "pretext"
    suits = "series that rise otherwise than they fall: heartbeats, loads, things that wear"
    signals = ("series", "text", "sound", "wave", "film")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        *,
        encoder: Encoder,
        view: View = RandomCrop(least=0.5),  # noqa: B008
        width: int = 128,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder, self.view, self.width, self.seed = encoder, view, width, seed
        self.classify = projector(encoder.dim, width, 2, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Crop, reverse some, encode, classify."""
        x = self.view(batch, rng)
        turned = balanced_labels(x, 2, rng)  # (B,)
        either = resample(x, reversed_where(identity_positions(x), x.lengths, turned == 1))
        z = distribute(self.encoder.embed, either)  # (B,D)
        scores = self.classify(z)
        loss = F.cross_entropy(scores, turned)
        return Step(loss, {"accuracy": accuracy(scores, turned)}, z.detach())
