"""Strength and penalty of the spectral objective, chosen without a label."""

from typing import NamedTuple

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.spectral import Spectral
from selftime.shapes import Embedding
from selftime.views.mild import Mild

STRENGTHS = (1.0, 0.5, 0.25)
PENALTIES = (0.1, 0.3, 0.03)
ENOUGH = 0.95
"""Share of series that must be found again for a strength to be safe."""
SERIES = 64
"""Series that are told apart: a fixed number, so that the share means the same on all data."""


class Trial(NamedTuple):
    """A setting, and the share of series that are found again under it."""

    found: float
    strength: float
    penalty: float


def chosen_strength(encoder: Encoder, sample: Batch, rng: Generator) -> Trial:
    """The strongest augmentation under which series still tell themselves apart.

    For each strength, from the strongest down, an encoder is learned from views of the sample and
    tried on two new views of each series: is the other view of the same series the nearest of
    all? Where augmentation moves series onto each other it teaches the encoder to ignore what
    tells them apart. The first strength at which enough are found again is taken, with the
    penalty that finds most; the weakest where none is safe.
    """
    few = Batch(sample.values[:SERIES], sample.observed[:SERIES])
    for strength in STRENGTHS:
        best = max(trials(encoder, few, strength, rng), key=lambda trial: trial.found)
        if best.found >= ENOUGH:
            break
    return best


def trials(encoder: Encoder, sample: Batch, strength: float, rng: Generator) -> list[Trial]:
    """How well series are found again at one strength, for each penalty."""
    view = Mild(strength=strength)
    objective = Spectral(encoder=encoder, view=view, copies=8, dim=512)
    objective.prepare(sample, rng)
    moments = objective.accumulate(sample, rng)
    one, other = view(sample, rng), view(sample, rng)
    results = []
    for objective.penalty in PENALTIES:
        learned = objective.solve(moments)
        results.append(found_again(learned.embed(one), learned.embed(other)))
    return [Trial(f, strength, p) for f, p in zip(results, PENALTIES, strict=True)]


def found_again(one: Embedding, other: Embedding) -> float:
    """Share of series whose nearest neighbour among the other views is their own (cosine)."""
    nearest = (one @ other.T).argmax(dim=1)
    return float((nearest == nearest.new_tensor(range(len(one)))).double().mean())
