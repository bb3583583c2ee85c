"""Tuning: a pretrained encoder and an outlet are trained on labels together."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.low_rank import adapted, merged
from selftime.engine.model import Model
from selftime.engine.plan import Budget, Plan
from selftime.objectives.answers import Answer, OneClass
from selftime.objectives.outlets import OUTLETS, AttentionPool
from selftime.objectives.recipe import Recipe
from selftime.objectives.supervised import Supervised
from selftime.progress import Progress, silent
from selftime.tasks.probe import Probe
from selftime.tasks.transfer.parts import (
    decayed,
    is_linear,
    lean,
    set_solid,
    thawed,
    train_last,
)
from selftime.tasks.transfer.solution import Tuned, with_tokens
from selftime.tasks.transfer.training import Course, trained

RATE, SLOWER = 5e-3, 0.1
"""Learning rate of the outlet, and of the last block of the encoder in units of it: what was
learned before is to change little (Kumar et al. 2022, section 3)."""
RANK = 8
"""Rank of adapters (Hu et al. 2022, table 6: 1 to 8 do as well as 64)."""
EPOCHS, FEWEST, MOST = 30, 100, 1500
"""Passes over the labelled series, and limits to the steps they come to."""
STORED = 2 << 30
"""Most bytes of vectors that are kept so that fixed parts of an encoder run only once."""


def usual_plan(count: int) -> Plan:
    """How so many labelled series are trained on: about :data:`EPOCHS` passes."""
    batch = int(np.clip(2 ** np.ceil(np.log2(max(count, 1) / 16)), 8, 64))
    steps = int(np.clip(EPOCHS * count / batch, FEWEST, MOST))
    recipe = Recipe(batch_size=batch, rate=RATE, weight_decay=0.01, warmup=0.1, cosine=True)
    return Plan(budget=Budget(amount=steps), recipe=recipe, clip=1.0)


def network_of(encoder: Encoder, answer: Answer, outlet: str, seed: int) -> Supervised:
    """An encoder that was learned before, with a new outlet on top.

    Raises:
        ValueError: tokens are asked of an encoder that sees a series only as a whole.
    """
    attends = outlet == "attention"
    body = with_tokens(encoder) if attends or answer.by_step else encoder
    return Supervised(
        encoder=body,
        outlet=OUTLETS[outlet](encoder.dim, answer.size, seed=seed),
        answer=answer,
        pool=AttentionPool(encoder.dim, seed=seed) if attends else None,
        learned=True,
    )


def opened(encoder: Encoder, strategy: str, blocks: int, seed: int) -> Encoder:
    """A copy of the encoder in which what a strategy trains asks for gradients.

    Args:
        encoder: pretrained.
        strategy: "probe" trains nothing, "adapter" low-rank changes, "partial" the last blocks,
            "full" and "staged" everything.
        blocks: how many are the last ones.
        seed: draws adapters.
    """
    if strategy == "adapter":
        return adapted(encoder, rank=RANK, seed=seed)
    own = thawed(encoder)
    if strategy == "probe":
        return own.requires_grad_(False)
    return train_last(own, blocks) if strategy == "partial" else own


def tuned(model: Model, on: Course, network: Supervised, progress: Progress = silent) -> Tuned:
    """The network trained, and the model with the encoder that came of it."""
    encoder, needs_tokens = network.encoder, network.answer.by_step or network.pool is not None
    slim, still = (encoder, []) if needs_tokens or not is_linear(encoder) else lean(encoder)
    if still and fits(still, on.series):
        network.encoder = slim
        on = on._replace(series=vectors_of(still, on), scale=scaling.none())
    trained(network, on, progress)
    network.encoder = set_solid(merged(encoder))
    network.eval()
    return Tuned(replace(model, encoder=network.encoder, cohort=None), network)


def fits(parts: list[Encoder], series: SeriesSet) -> bool:
    """Whether the vectors of fixed parts are few enough to be kept."""
    return 4 * len(series) * sum(part.dim for part in parts) <= STORED


def vectors_of(parts: list[Encoder], on: Course) -> SeriesSet:
    """The vectors of fixed parts side by side, as series of one step."""
    made = [
        Model(part, on.scale, on.series.channels).embed(on.series, progress=False) for part in parts
    ]
    return SeriesSet.of(np.concatenate(made, axis=1)[:, :, None])


def set_to_probe(network: Supervised, model: Model, series: SeriesSet, y: Any) -> None:
    """The outlet says what a probe of the labels alone says, where it is one map of the vectors.

    Other outlets begin as they are.
    """
    outlet, answer = network.outlet, network.answer
    if not isinstance(outlet, nn.Linear) or not isinstance(answer, OneClass) or network.pool:
        return
    probe = Probe().fit(model.embed(series, progress=False), y)
    with torch.no_grad():
        outlet.weight.copy_(torch.from_numpy(probe.coef_ / probe.temperature_))
        outlet.bias.copy_(torch.from_numpy(probe.intercept_ / probe.temperature_))


def rates_of(encoder: Encoder, strategy: str) -> dict[str, float]:
    """How fast each weight learns in units of the outlet's rate; adapters as fast as that."""
    if strategy == "scratch":
        return {"encoder.": 2 * SLOWER}  # 1e-3, the usual one of Adam
    return {} if strategy == "adapter" else decayed(encoder, SLOWER)
