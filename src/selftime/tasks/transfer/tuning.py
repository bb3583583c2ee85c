"""Fine-tuning: an encoder and a head are trained on labels together, by the engine's loop."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selftime.data import scaling
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.low_rank import adapted, merged
from selftime.engine.fit import progress_callbacks, run_training
from selftime.engine.model import Model
from selftime.engine.plan import Budget, TrainingConfig
from selftime.engine.solve import Watch
from selftime.engine.training import Training
from selftime.objectives.answers import OneClass, TargetType
from selftime.objectives.outlets import NETWORK_HEADS, AttentionPool
from selftime.objectives.recipe import Recipe
from selftime.objectives.supervised import Supervised
from selftime.tasks.probe import Probe
from selftime.tasks.transfer.parts import (
    cache_frozen,
    decayed,
    freeze,
    is_linear,
    train_last,
    unfrozen,
)
from selftime.tasks.transfer.solution import Tuned, with_tokens

RATE, SLOWER = 5e-3, 0.1
"""Learning rate of the head, and of the last block of the encoder in units of it: what was
learned before is to change little (Kumar et al. 2022, section 3)."""
RANK = 8
"""Rank of adapters (Hu et al. 2022, table 6: 1 to 8 do as well as 64)."""
EPOCHS, FEWEST, MOST = 30, 100, 1500
"""Passes over the labelled series, and limits to the steps they come to."""
LEARNED = 0.01
"""Training on labels ends earlier once the loss stays below this: nothing is left to learn."""
STORED = 2 << 30
"""Most bytes of vectors that are kept so that fixed parts of an encoder run only once."""


def usual_training(count: int) -> tuple[Budget, TrainingConfig]:
    """How so many labelled series are trained on: about :data:`EPOCHS` passes."""
    batch = int(np.clip(2 ** np.ceil(np.log2(max(count, 1) / 16)), 8, 64))
    steps = int(np.clip(EPOCHS * count / batch, FEWEST, MOST))
    recipe = Recipe(batch_size=batch, rate=RATE, weight_decay=0.01, warmup=0.1, cosine=True)
    return Budget(amount=steps), TrainingConfig(recipe=recipe, clip=1.0)


def fine_tune(  # noqa: PLR0913 - all that training depends on
    network: Supervised,
    series: SeriesSet,
    targets: Tensor,
    scale: Scaling,
    *,
    budget: Budget,
    config: TrainingConfig,
    seed: int,
    held_out_loss: Callable[[], float] | None = None,
    watch: Watch | None = None,
) -> Supervised:
    """Train the network itself on labels; it ends early when there is nothing left to learn.

    Args:
        network: encoder and head.
        series: labelled ones.
        targets: a row a series.
        scale: what is done to values first.
        budget: how long at most.
        config: how.
        seed: fixes everything random.
        held_out_loss: measures the network on other series; the weights with the lowest are kept.
        watch: told of steps done, and of how many.

    Raises:
        Stopped: Ctrl-C or SIGTERM; the step in flight was finished.
    """
    if config.stop_below is None:
        config = replace(config, stop_below=LEARNED)
    training = Training(
        network,
        series,
        scale,
        budget,
        config,
        seed,
        targets=targets,
        held_out_loss=held_out_loss,
    )
    network.train()
    run_training(training, callbacks=progress_callbacks(training, watch))
    training.finish()
    return network


def network_of(encoder: Encoder, target_type: TargetType, head: str, seed: int) -> Supervised:
    """An encoder that was learned before, with a new head on top.

    Raises:
        ValueError: tokens are asked of an encoder that sees a series only as a whole.
    """
    attends = head == "attention"
    body = with_tokens(encoder) if attends or target_type.by_step else encoder
    return Supervised(
        encoder=body,
        head=NETWORK_HEADS[head](encoder.dim, target_type.size, seed=seed),
        target_type=target_type,
        pool=AttentionPool(encoder.dim, seed=seed) if attends else None,
        learned=True,
    )


def select_trainable(encoder: Encoder, strategy: str, blocks: int, seed: int) -> Encoder:
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
    own = unfrozen(encoder)
    if strategy == "probe":
        return own.requires_grad_(False)
    return train_last(own, blocks) if strategy == "partial" else own


def fine_tune_model(  # noqa: PLR0913 - all that training depends on
    model: Model,
    network: Supervised,
    series: SeriesSet,
    y: Any,
    *,
    budget: Budget,
    config: TrainingConfig,
    seed: int,
    watch: Watch | None = None,
) -> Tuned:
    """The network trained, and the model with the encoder that came of it.

    Parts that stay as they are run only once where nothing but linear maps of them is trained.
    """
    encoder, needs_tokens = network.encoder, network.target_type.by_step or network.pool is not None
    targets, scale = network.target_type.targets(y), model.scaling
    if not needs_tokens and is_linear(encoder):
        slim, frozen = cache_frozen(encoder)
        if frozen and is_small(frozen, len(series)):
            network.encoder = slim
            series, scale = vectors_of(frozen, series, scale), scaling.none()
    fine_tune(network, series, targets, scale, budget=budget, config=config, seed=seed, watch=watch)
    network.encoder = freeze(merged(encoder))
    network.eval()
    return Tuned(replace(model, encoder=network.encoder, cohort=None), network)


def is_small(parts: list[Encoder], count: int) -> bool:
    """Whether the vectors of so many series are few enough to be kept."""
    return 4 * count * sum(part.dim for part in parts) <= STORED


def vectors_of(parts: list[Encoder], series: SeriesSet, scale: Scaling) -> SeriesSet:
    """The vectors of fixed parts side by side, as series of one step."""
    made = [Model(part, scale, series.channels).embed(series) for part in parts]
    return SeriesSet.of(np.concatenate(made, axis=1)[:, :, None])


def set_to_probe(network: Supervised, model: Model, series: SeriesSet, y: Any) -> None:
    """The head says what a probe of the labels alone says, where it is one map of the vectors.

    Other heads begin as they are.
    """
    head, target_type = network.head, network.target_type
    if not isinstance(head, nn.Linear) or not isinstance(target_type, OneClass) or network.pool:
        return
    probe = Probe().fit(model.embed(series), y)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.coef_ / probe.temperature_))
        head.bias.copy_(torch.from_numpy(probe.intercept_ / probe.temperature_))


def rates_of(encoder: Encoder, strategy: str) -> dict[str, float]:
    """How fast each weight learns in units of the head's rate; adapters as fast as that."""
    if strategy == "scratch":
        return {"encoder.": 2 * SLOWER}  # 1e-3, the usual one of Adam
    return {} if strategy == "adapter" else decayed(encoder, SLOWER)
