"""Strength and penalty of the spectral objective, chosen without a label."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.spectral import Spectral
from selftime.shapes import Embedding
from selftime.views.mild import Mild

WEAK, MEDIUM, STRONG = 0.25, 0.5, 1.0
PENALTY_GRID = (0.1, 0.3, 0.03)
MIN_RETRIEVAL = 0.95
"""Share of series that must be found again for a strength to be safe."""
TRIAL_SERIES = 64
"""Series that are told apart: a fixed number, so that the share means the same on all data."""


class Trial(NamedTuple):
    """A setting, and the share of series that are found again under it."""

    found: float
    strength: float
    penalty: float


def choose_strength(encoder: Encoder, sample: Batch, rng: Generator) -> Trial:
    """The strongest of three augmentations under which series still tell themselves apart.

    At the medium strength, and if that is safe at the strong one, an encoder is learned from
    views of the sample and tried on two new views of each series: is the other view of the same
    series the nearest of all? Where augmentation moves series onto each other it teaches the
    encoder to ignore what tells them apart. The penalty is the one that finds most.

    Args:
        encoder: what makes the features.
        sample: :data:`TRIAL_SERIES` series drawn at random, or all if they are fewer.
        rng: draws the views.

    Returns:
        The strongest safe trial; where the medium strength is not safe, the weak one with what
        the medium one found.
    """
    medium = best_trial(encoder, sample, MEDIUM, rng)
    if medium.found < MIN_RETRIEVAL:
        return Trial(medium.found, WEAK, PENALTY_GRID[0])
    strong = best_trial(encoder, sample, STRONG, rng)
    return strong if strong.found >= MIN_RETRIEVAL else medium


def best_trial(encoder: Encoder, sample: Batch, strength: float, rng: Generator) -> Trial:
    """The trial with the penalty that finds most; the first of them where several do."""
    return max(trials(encoder, sample, strength, rng), key=lambda trial: trial.found)


def trials(encoder: Encoder, sample: Batch, strength: float, rng: Generator) -> list[Trial]:
    """How well series are found again at one strength, for each penalty."""
    objective = Spectral(encoder=encoder, view=Mild(strength=strength), copies=8, dim=512)
    objective.prepare(sample, rng)
    moments = objective.accumulate(sample, rng)
    pairs = objective.features(sample, 2, rng)  # (2B,F), two new views of each series
    results = []
    for objective.penalty in PENALTY_GRID:
        vectors = F.normalize(pairs @ objective.linear_map(moments), dim=1)
        results.append(
            Trial(retrieval_accuracy(vectors[0::2], vectors[1::2]), strength, objective.penalty)
        )
    return results


def retrieval_accuracy(one: Embedding, other: Embedding) -> float:
    """Share of series whose nearest neighbour among the other views is their own (cosine)."""
    nearest = (one @ other.T).argmax(dim=1)
    return float((nearest == nearest.new_tensor(range(len(one)))).double().mean())
