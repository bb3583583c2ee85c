"""Scores by a pretrained model: distances of embeddings, and the effect of hiding a step."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from selftime.data.scaling import OwnLevel, PerChannel
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.door import option
from selftime.encoders.networks.dilated import Dilated, visible_and_masked_tokens
from selftime.encoders.streaming.streamable import body_of
from selftime.engine.model import Model
from selftime.tasks.anomaly.record import ChannelRecord, mean_between
from selftime.tasks.anomaly.scores.distances import nearest_score, principal

_EMBEDDING_COMPONENTS = 64
"""Whitened principal coordinates of the embeddings that are compared."""
RECENT_SCORES = 21
"""Scores before a step whose mean is usual there (Yue et al. 2022, AAAI, Z of its appendix)."""


def embedding_distance(channels: Sequence[ChannelRecord], model: Model) -> Float[np.ndarray, "T"]:
    """Score by the nearest other window in whitened embeddings of all channels at once."""
    first = channels[0]
    starts = first.starts(first.width)
    windows = np.stack([r.cut(first.width)[1] for r in channels], axis=1)  # (W,C,L)
    vectors = model.embed(_in_own_units(windows, channels, model), progress=False)
    usual = first.usual(starts, first.width)
    near = principal(vectors, usual, most=_EMBEDDING_COMPONENTS, whiten=True)
    return nearest_score(first, near, starts)


def hidden_step(channels: Sequence[ChannelRecord], model: Model) -> Float[np.ndarray, "T"]:
    """Score by the distance between a step's token and the one it has if that step is hidden.

    αₜ = ‖rₜ − r′ₜ‖₁, then (αₜ − ᾱₜ) / ᾱₜ with ᾱₜ the mean of the 21 before it (Yue et al. 2022,
    AAAI, "Time series anomaly detection" and its appendix). There each window ends with the step in
    question; a causal network knows all steps before it and none after.

    Raises:
        ValueError: a model for which :func:`can_hide` is False.
        SeriesError: another number of channels than the model was made for.
    """
    first = channels[0]
    values = np.stack([r.values for r in channels])  # (C,T)
    series = (
        _in_own_units(part[None], channels, model)
        for part in np.split(values, first.boundaries, axis=1)
    )
    found = less_recent(np.concatenate([_token_distances(part, model) for part in series]))
    return found if first.past_only else first.smooth(found)


def can_hide(model: Model) -> bool:
    """Return whether a model is a causal dilated network with one scale for all times."""
    body = body_of(model.encoder)
    return isinstance(body, Dilated) and body.causal and not model.scaling.whole


def _in_own_units(
    x: Float[np.ndarray, "N C T"], channels: Sequence[ChannelRecord], model: Model
) -> SeriesSet:
    """Return standardised values in their own units, where the model knows such units."""
    if isinstance(model.scaling, PerChannel | OwnLevel):
        mean, std = np.array([[r.mean, r.std] for r in channels]).T[:, :, None]  # (C,1)
        x = x * std + mean
    return replace(SeriesSet.of(x), kind=model.kind)


def _token_distances(series: SeriesSet, model: Model) -> Float[np.ndarray, "T"]:
    """Return ‖rₜ − r′ₜ‖₁ of each step of a recording."""
    body = body_of(model.encoder)
    if not can_hide(model) or not isinstance(body, Dilated):
        raise ValueError(
            f"got a model of {type(body).__name__}, wanted one of a causal dilated network whose "
            "values are not scaled series by series: pretrain with "
            f"{option('encoder', 'dilated_causal')}"
        )
    batch = model.scaling.apply(batch_of(model.check(series)))
    with torch.inference_mode():
        seen, hidden = visible_and_masked_tokens(body, batch)
        return (seen - hidden).abs().sum(dim=2)[0].numpy().astype(np.float64)


def less_recent(scores: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Return (αₜ − ᾱₜ) / ᾱₜ with ᾱₜ the mean of up to 21 scores before; 0 for the first step."""
    steps = np.arange(1, len(scores))
    usual = mean_between(scores, np.maximum(steps - RECENT_SCORES, 0), steps - 1)
    adjusted = (scores[1:] - usual) / np.maximum(usual, 1e-6)
    return np.concatenate([[0.0], adjusted])
