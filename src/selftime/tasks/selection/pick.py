"""Picking: which layer of a network, and which pooling of its tokens, suits some labels best."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batches
from selftime.encoders.base import Encoder, token_mask
from selftime.encoders.wrappers.layered import POOLINGS, Layered
from selftime.encoders.wrappers.projected import Projected, backbone, standardisation
from selftime.engine.model import Model
from selftime.engine.pretrain import with_reference_bank, with_standard_vectors
from selftime.engine.solve import sample_of
from selftime.progress import Progress, open_progress
from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.ridge import ridge_leave_one_out

_MARGIN = 2.0
"""Standard errors by which another layer or pooling must be better than the usual ones."""
OWN_POOLING = "usual"
"""The encoder's own pooling of its last layer."""

LayerPooling = tuple[int, str]
"""Layer and pooling."""


class Candidate(NamedTuple):
    """A layer and a pooling, and how a probe of their vectors does.

    Attributes:
        layer: 0 is the first.
        pooling: one of :data:`selftime.encoders.wrappers.layered.POOLINGS`, or :data:`OWN_POOLING`.
        wrong: labelled series that a probe gets wrong which has not seen them.
        squared: mean squared error of its scores for them, which decides between equals.
    """

    layer: int
    pooling: str
    wrong: int
    squared: float

    def __str__(self) -> str:
        return f"{self.pooling} of layer {self.layer}"


@dataclass(frozen=True)
class PickResult:
    """What picking came to.

    Attributes:
        model: with the layer and the pooling that were picked; the one that was given, with a
            note on its card, where these are the usual ones.
        candidates: all of them, the best first.
        layers: how many the network has.
        judged: labelled series that they were judged by.
    """

    model: Model
    candidates: tuple[Candidate, ...]
    layers: int
    judged: int

    @property
    def usual(self) -> Candidate:
        """The encoder's own pooling of its last layer."""
        return next(one for one in self.candidates if one.pooling == OWN_POOLING)

    @property
    def choice(self) -> Candidate:
        """The best, unless the usual is as good."""
        return self.usual if as_good(self.usual, self.best, self.judged) else self.best

    @property
    def best(self) -> Candidate:
        """The one with fewest errors."""
        return self.candidates[0]

    @property
    def verdict(self) -> str:
        """What was picked, and why."""
        of = f"of {self.judged} labelled series are wrong when left out"
        if self.choice is self.usual:
            return (
                f"the usual pooling of the last layer stays: {self.usual.wrong} {of}; no other is "
                "better by more than two standard errors "
                f"(the best, {self.best}: {self.best.wrong})"
            )
        return f"{self.best} is picked: {self.best.wrong} {of}, {self.usual.wrong} as usual"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "verdict": self.verdict,
            "layer": self.choice.layer,
            "pooling": self.choice.pooling,
            "layers": self.layers,
            "judged": self.judged,
            "candidates": [one._asdict() for one in self.candidates],
        }


def pick(
    model: Model,
    x: Any,
    labels: Any = None,
    *,
    unlabelled: Any = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> PickResult:
    """The layer and pooling of a model whose vectors suit some labels best.

    All are judged by the linear probe on series that it has not seen (leave-one-out, which costs
    a ridge no more than one fit). The best of so many is often the luckiest: the usual pooling of
    the last layer stays where its error is within two standard errors of the least. One, as
    Breiman et al. 1984 have it in section 3.4.3, is too little for dozens of candidates: with ten
    labels it left the usual every second time, at a loss (benchmarks/picking.py).

    Args:
        model: learned by gradient.
        x: labelled series, whatever :func:`selftime.read` takes.
        labels: (n,) classes; None takes those of the series.
        unlabelled: series that vectors are standardised over, as in pretraining; None takes
            those of ``x``.
        seed: draws the sample that they are standardised over.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: bad input, no labels, or no class with two of them.
        ValueError: a model that has no layers.
    """
    series = model.check(read(x))
    index = class_index(series.labels if labels is None else labels, len(series))
    others = series if unlabelled is None else model.check(read(unlabelled))
    body = pickable_network(model)
    rows = sample_of(len(others), seed)
    with open_progress(progress) as tell:
        vectors = pool_layers(model, body, series, tell)
        over = pool_layers(model, body, others[rows], tell) if unlabelled is not None else None
    found = [
        score_candidate(place, standardise_over(z, over[place] if over else z[rows]), index)
        for place, z in vectors.items()
    ]
    ranked = tuple(sorted(found, key=lambda one: (one.wrong, one.squared)))
    many = int(has_company(index).sum())
    made = PickResult(model, ranked, len(body.layer_shapes()), many)
    return replace(made, model=_build_model(made, body, others, seed))


def as_good(usual: Candidate, best: Candidate, judged: int, *, margin: float = _MARGIN) -> bool:
    """Whether the usual has no more errors than the best and some standard errors of its own."""
    share = usual.wrong / judged
    return usual.wrong - best.wrong <= margin * math.sqrt(judged * share * (1 - share))


def pool_layers(
    model: Model, body: Encoder, series: SeriesSet, progress: Progress
) -> dict[LayerPooling, Float[Tensor, "n D"]]:
    """Vectors of all series for every layer and pooling, in one pass of the network."""
    parts: dict[LayerPooling, list[Tensor]] = {}
    for k, batch in enumerate(batches(series, size=64), start=1):
        with torch.no_grad():
            for place, vectors in poolings_of(body, model.scaling.apply(batch)):
                parts.setdefault(place, []).append(vectors)
        progress("embedding by every layer", min(64 * k, len(series)), len(series))
    return {place: torch.cat(vectors) for place, vectors in parts.items()}


def poolings_of(body: Encoder, x: Batch) -> Iterator[tuple[LayerPooling, Tensor]]:
    """Layer by layer, the vectors (B,D) of every pooling; last of all the usual ones."""
    for layer, (shape, tokens) in enumerate(zip(body.layer_shapes(), body.stages(x), strict=True)):
        there = token_mask(x, shape.stride)
        for name, pooling in POOLINGS.items():
            yield (layer, name), pooling(tokens, there)
    yield (layer, OWN_POOLING), body.pool(tokens, x)


def standardise_over(
    z: Float[Tensor, "n D"], over: Float[Tensor, "m D"]
) -> Float[np.ndarray, "n D"]:
    """Vectors standardised over others, then of length 1: as pretraining leaves them."""
    mean, scale = standardisation(over)
    return np.asarray(F.normalize((z - mean) * scale, dim=1).double())


def score_candidate(
    place: LayerPooling, z: Float[np.ndarray, "n D"], index: Int[np.ndarray, " n"]
) -> Candidate:
    """How the probe does on each of the vectors, fitted on the others alone."""
    Y = np.where(index[:, None] == np.arange(index.max() + 1), 1.0, -1.0)  # (n,K)
    _, held_out = ridge_leave_one_out(z - z.mean(axis=0), Y - Y.mean(axis=0), Probe().penalty)
    scores, known = held_out + Y.mean(axis=0), has_company(index)
    wrong = (scores.argmax(axis=1) != index)[known].sum()
    return Candidate(*place, int(wrong), float(np.square(scores - Y)[known].mean()))


def has_company(index: Int[np.ndarray, " n"]) -> np.ndarray:
    """Series (n,) whose class is known without them."""
    return np.asarray(np.bincount(index)[index] > 1)


def _build_model(made: PickResult, body: Encoder, others: SeriesSet, seed: int) -> Model:
    """The model that gives the vectors that were picked, with the pick on its card."""
    choice, old = made.choice, made.model
    value = f"{choice.pooling} of layer {choice.layer} of 0 to {made.layers - 1}"
    settings = old.card.get("settings", {}) | {"vector": {"value": value, "reason": made.verdict}}
    card = old.card | {"settings": settings}
    if choice is made.usual and backbone(old.encoder) is body:
        return replace(old, card=card)
    network = body
    if choice is not made.usual:
        network = Layered(encoder=body, layer=choice.layer, pooling=choice.pooling)
    encoder = with_standard_vectors(network, others, old.scaling, seed).eval()
    return with_reference_bank(
        replace(old, encoder=encoder, card=card, reference_bank=None), others, seed
    )


def pickable_network(model: Model) -> Encoder:
    """The network of a model; that of a model that was picked before is taken from its layer.

    Raises:
        ValueError: it was learned in closed form, or sees a series only as a whole.
    """
    body = backbone(model.encoder)
    body = body.encoder if isinstance(body, Layered) else body
    closed = any(isinstance(part, Projected) for part in model.encoder.modules())
    if closed or body.stride is None:
        raise ValueError(
            f"got a model of {type(body).__name__} without layers of tokens to pick from: only "
            "networks learned by gradient have them, such as 'dilated' with 'simclr'"
        )
    return body


def class_index(labels: Any, n: int) -> Int[np.ndarray, " n"]:
    """Numbers of classes, from 0.

    Raises:
        SeriesError: no labels, too many or too few, or no class with two of them.
    """
    if labels is None:
        raise SeriesError("got series without labels, wanted one each: name their column (--label)")
    if np.shape(labels) != (n,):
        raise SeriesError(f"got labels of shape {np.shape(labels)} for {n} series: one each")
    names, index = np.unique(labels, return_inverse=True)
    if len(names) < 2 or not has_company(index).any():
        raise SeriesError(
            f"got {n} labels of {len(names)} classes, wanted two classes and two labels of one of "
            "them: a series is judged by the others of its class"
        )
    return index
