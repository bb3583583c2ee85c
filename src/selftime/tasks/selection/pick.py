"""Pick: the layer of a network, and the pooling of its tokens, that suit some labels best."""

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
from selftime.data.labels import labelled_part, share_in_words
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batches
from selftime.door import tell
from selftime.encoders.base import Encoder, token_mask
from selftime.encoders.wrappers.layered import POOLINGS, Layered
from selftime.encoders.wrappers.projected import Projected, backbone, standardisation
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.pretrain import with_reference_bank, with_standard_vectors
from selftime.engine.solve import sample_of
from selftime.progress import Progress, open_progress
from selftime.tasks.probing.probe import FEW_PENALTY
from selftime.tasks.probing.ridge import class_signs, ridge_with_intercept

_MARGIN = 2.0
"""Standard errors by which another layer or pooling must be better than the usual ones."""
OWN_POOLING = "usual"
"""The encoder's own pooling of its last layer."""

LayerPooling = tuple[int, str]


class Candidate(NamedTuple):
    """A layer and a pooling, and the errors of a probe on their vectors."""

    layer: int  # 0 is the first
    pooling: str  # of POOLINGS, or OWN_POOLING
    wrong: int  # number of labelled series that the probe gets wrong when they are left out
    squared: float  # mean squared error of its scores for them, which decides between equals

    def __str__(self) -> str:
        return f"{self.pooling} of layer {self.layer}"


@dataclass(frozen=True)
class PickResult:
    """The picked layer and pooling, and all candidates.

    Where these are the usual ones, the model is the one that was given, with a note on its card.
    """

    model: Model
    candidates: tuple[Candidate, ...]  # the best first
    layers: int  # number of layers of the network
    judged: int  # number of labelled series that candidates were judged by

    @property
    def usual(self) -> Candidate:
        """The encoder's own pooling of its last layer."""
        return next(own for own in self.candidates if own.pooling == OWN_POOLING)

    @property
    def choice(self) -> Candidate:
        """The best candidate, unless the usual one is as good."""
        return self.usual if as_good(self.usual, self.best, self.judged) else self.best

    @property
    def best(self) -> Candidate:
        """The candidate with fewest errors."""
        return self.candidates[0]

    @property
    def verdict(self) -> str:
        """The pick and its reason in words."""
        of = f"of {self.judged} labelled series are wrong when left out"
        if self.choice is self.usual:
            return (
                f"the usual pooling of the last layer stays: {self.usual.wrong} {of}; no other is "
                "better by more than two standard errors "
                f"(the best, {self.best}: {self.best.wrong})"
            )
        return f"{self.best} is picked: {self.best.wrong} {of}, {self.usual.wrong} as usual"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "verdict": self.verdict,
            "layer": self.choice.layer,
            "pooling": self.choice.pooling,
            "layers": self.layers,
            "judged": self.judged,
            "candidates": [own._asdict() for own in self.candidates],
        }


def pick(
    model: ModelOrFolder,
    x: Any,
    labels: Any = None,
    *,
    unlabelled: Any = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> PickResult:
    """Pick the layer and pooling of a model whose vectors suit some labels best.

    All are judged by the linear probe on series left out of its fit (leave-one-out, which costs
    a ridge no more than one fit). The best of so many often has luck: the usual pooling of the
    last layer stays where its error is within two standard errors of the least. One standard
    error, as in Breiman et al. 1984, section 3.4.3, is too little for dozens of candidates: with
    ten labels it left the usual every second time, at a loss (benchmarks/picking.py).

    Args:
        model: learned by gradient, or its folder.
        x: series of which n are labelled, whatever :func:`selftime.read` takes.
        labels: their classes, as there; None takes those of the series.
        unlabelled: series that vectors are standardised over, as in pretraining; None takes
            those of ``x``.
        seed: draws the sample that they are standardised over.
        progress: shows a bar where None and on a terminal, or is called with each step.

    Returns:
        The model that gives the picked vectors, and all candidates, the best first.

    Raises:
        SeriesError: bad input, no labels, or no class with two of them.
        ValueError: the model has no layers.

    Example:
        >>> import selftime as st
        >>> train = st.sample("JapaneseVowels", "train")[:60:3]
        >>> model = st.pretrain(train, objective="simclr", budget="1 step")
        >>> picked = st.pick(model, train)
        >>> picked.judged, len(picked.candidates) > picked.layers
        (20, True)
    """
    model = model_at(model)
    whole = model.check(read(x, labels=labels, kind=kind_for(x, model.kind)))
    series = labelled_part(whole, "the data")
    tell(share_in_words(whole.labelled, said=whole.notes))
    index = class_index(np.asarray(series.labels), len(series))
    others = whole
    if unlabelled is not None:
        others = model.check(read(unlabelled, kind=kind_for(unlabelled, model.kind)))
    body = pickable_network(model)
    rows = sample_of(len(others), seed)
    with open_progress(progress) as show:
        vectors = pool_layers(model, body, series, show)
        apart = unlabelled is not None or series is not whole
        over = pool_layers(model, body, others[rows], show) if apart else None
    found = [
        score_candidate(layer, standardise_over(z, over[layer] if over else z[rows]), index)
        for layer, z in vectors.items()
    ]
    ranked = tuple(sorted(found, key=lambda own: (own.wrong, own.squared)))
    judged = int(has_classmates(index).sum())
    result = PickResult(model, ranked, len(body.layer_shapes()), judged)
    return replace(result, model=_build_model(result, body, others, seed))


def as_good(usual: Candidate, best: Candidate, judged: int, *, margin: float = _MARGIN) -> bool:
    """Return whether the usual candidate is within some standard errors of the best."""
    share = usual.wrong / judged
    return usual.wrong - best.wrong <= margin * math.sqrt(judged * share * (1 - share))


def pool_layers(
    model: Model, body: Encoder, series: SeriesSet, progress: Progress
) -> dict[LayerPooling, Float[Tensor, "n D"]]:
    """Return vectors of all series for every layer and pooling, in one pass of the network."""
    parts: dict[LayerPooling, list[Tensor]] = {}
    for k, batch in enumerate(batches(series, size=64), start=1):
        with torch.no_grad():
            for layer, vectors in poolings_of(body, model.scaling.apply(batch)):
                parts.setdefault(layer, []).append(vectors)
        progress("embedding by every layer", min(64 * k, len(series)), len(series))
    return {layer: torch.cat(vectors) for layer, vectors in parts.items()}


def poolings_of(body: Encoder, x: Batch) -> Iterator[tuple[LayerPooling, Tensor]]:
    """Yield the vectors (B,D) of every layer and pooling; last of all the usual ones."""
    for layer, (shape, tokens) in enumerate(zip(body.layer_shapes(), body.stages(x), strict=True)):
        valid = token_mask(x, shape.stride)
        for name, pooling in POOLINGS.items():
            yield (layer, name), pooling(tokens, valid)
    yield (layer, OWN_POOLING), body.pool(tokens, x)


def standardise_over(
    z: Float[Tensor, "n D"], over: Float[Tensor, "m D"]
) -> Float[np.ndarray, "n D"]:
    """Standardise vectors over others, then scale them to length 1, as pretraining does."""
    mean, scale = standardisation(over)
    return np.asarray(F.normalize((z - mean) * scale, dim=1).double())


def score_candidate(
    layer: LayerPooling, z: Float[np.ndarray, "n D"], index: Int[np.ndarray, " n"]
) -> Candidate:
    """Judge a candidate by the probe on each vector, fitted on all others."""
    signs, known = class_signs(index, int(index.max()) + 1), has_classmates(index)
    *_, scores = ridge_with_intercept(z, signs, FEW_PENALTY)
    wrong = (scores.argmax(axis=1) != index)[known].sum()
    return Candidate(*layer, int(wrong), float(np.square(scores - signs)[known].mean()))


def has_classmates(index: Int[np.ndarray, " n"]) -> np.ndarray:
    """Return a mask (n,) of series whose class has another series."""
    return np.asarray(np.bincount(index)[index] > 1)


def _build_model(result: PickResult, body: Encoder, others: SeriesSet, seed: int) -> Model:
    """Build the model that gives the picked vectors, with the pick on its card."""
    choice, old = result.choice, result.model
    value = f"{choice.pooling} of layer {choice.layer} of 0 to {result.layers - 1}"
    settings = old.card.get("settings", {}) | {"vector": {"value": value, "reason": result.verdict}}
    card = old.card | {"settings": settings}
    if choice is result.usual and backbone(old.encoder) is body:
        return replace(old, card=card)
    network = body
    if choice is not result.usual:
        network = Layered(encoder=body, layer=choice.layer, pooling=choice.pooling)
    encoder = with_standard_vectors(network, others, old.scaling, seed).eval()
    return with_reference_bank(
        replace(old, encoder=encoder, card=card, reference_bank=None), others, seed
    )


def pickable_network(model: Model) -> Encoder:
    """Return the network of a model, also where a layer was picked before."""
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
    """Return numbers of classes, from 0."""
    if np.shape(labels) != (n,):
        raise SeriesError(f"got labels of shape {np.shape(labels)} for {n} series: one each")
    names, index = np.unique(labels, return_inverse=True)
    if len(names) < 2 or not has_classmates(index).any():
        raise SeriesError(
            f"got {n} labels of {len(names)} classes, wanted two classes and two labels of one of "
            "them: a series is judged by the others of its class"
        )
    return index
