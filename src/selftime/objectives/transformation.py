"""Transformation: the network names which of several transformations a series went through."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import projector
from selftime.settings import check_share
from selftime.views.amplitude import flip, jitter, magnitude_warp, scaled
from selftime.views.draws import uniform
from selftime.views.mild import View
from selftime.views.pairs import Fixed, same
from selftime.views.timing import permute, reverse, time_warp

Labels = Int[Tensor, "B"]


def balanced_labels(x: Batch, kinds: int, rng: Generator) -> Labels:
    """Draw a label from 0 to ``kinds`` - 1 per series; no kind has two more than another."""
    names = uniform(kinds, rng=rng, like=x.values).argsort()
    turns = uniform(len(x.values), rng=rng, like=x.values).argsort()
    return names[turns % kinds]


def accuracy(scores: Float[Tensor, "B K"], labels: Labels) -> Float[Tensor, ""]:
    """Share of labels with the highest score, detached; for the log."""
    return (scores.detach().argmax(dim=1) == labels).float().mean()


def shrink(x: Batch, rng: Generator, *, most: float = 0.5) -> Batch:
    """Scale every series by a factor drawn from ``most`` / 2 to ``most``: never by almost 1."""
    check_share("most", most)
    factors = most * (1 + uniform(len(x.values), 1, rng=rng, like=x.values)) / 2
    return scaled(x, factors.expand(x.values.shape[:2]))


VISIBLE: tuple[View, ...] = (
    Fixed(same),
    Fixed(jitter, strength=0.3),
    Fixed(shrink, most=0.5),
    Fixed(flip, chance=1.0),
    Fixed(reverse, chance=1.0),
    Fixed(permute, segments=4),
    Fixed(time_warp, strength=0.06),
    Fixed(magnitude_warp, strength=0.5),
)
"""The series itself, the six signal transformations of Sarkar & Etemad (2020, section 3.1) and a
smooth gain; strong enough to be seen."""
_PLAIN: tuple[View, ...] = (VISIBLE[0], *VISIBLE[3:6])
"""Of these the series itself, its sign, its direction and the order of its parts: to tell noise,
size and speed as well makes vectors depend on them, which costs more than it brings where classes
differ in shape (SyntheticControl, 5 labels per class, one seed: 0.98 with these, 0.88 with all,
0.96 untrained)."""


class Transformation(Objective):
    """Classify transformations (Saeed et al. 2019, section 3; Sarkar & Etemad 2020, section 3).

    Each series of a batch is seen in one of several views, all equally often, and the network
    predicts which. The papers have binary tasks with a head each, all on every series; here it is
    one task of as many classes, on as many series as the batch has. A view that a kind of series
    cannot show (a symmetric one, reversed) costs some of the loss and does no other harm.

    Attributes:
        encoder: what is learned.
        views: transformations; each changes every series so that it can be seen. All that the
            papers have are in ``VISIBLE``.
        width: of the hidden layer of the classifier.
        seed: draws the weights of the classifier.

    Raises:
        ValueError: fewer than two views.
    """

    family = "pretext"
    suits = "sensor data whose size, sign and direction mean something; cheap and steady"
    signals = ("series", "wave")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self, *, encoder: Encoder, views: Sequence[View] = _PLAIN, width: int = 128, seed: int = 0
    ) -> None:
        super().__init__()
        if len(views) < 2:
            raise ValueError(f"got {len(views)} views, wanted at least 2: one is not a question")
        self.encoder, self.views = encoder, tuple(views)
        self.width, self.seed = width, seed
        self.classify = projector(encoder.dim, width, len(views), seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Draw a view for each series, encode, classify."""
        labels = balanced_labels(batch, len(self.views), rng)
        z = distribute(self.encoder.embed, apply_views(batch, self.views, labels, rng))  # (B,D)
        scores = self.classify(z)
        loss = F.cross_entropy(scores, labels)
        return Step(loss, {"accuracy": accuracy(scores, labels)}, z.detach())


def apply_views(x: Batch, views: Sequence[View], labels: Labels, rng: Generator) -> Batch:
    """Return each series in the view that its label names."""
    # Every view is made of the whole batch, so that its draws do not depend on the labels.
    made = [view(x, rng) for view in views]
    rows = torch.arange(len(labels), device=labels.device)
    return Batch(*(torch.stack(parts)[labels, rows] for parts in zip(*made, strict=True)))
