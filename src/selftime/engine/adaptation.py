"""Adaptation of a model to series of other lengths, scales and channels, without training."""

import copy
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.channels import is_numbered, select_channels
from selftime.data.matching import match_kind
from selftime.data.readers import kind_for, read
from selftime.data.scaling import PerChannel, Together
from selftime.data.series import names_of_channels
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.registry import build, recipe_of
from selftime.encoders.wrappers.normalised import ByChannel
from selftime.encoders.wrappers.projected import (
    Projected,
    Standardised,
    UnitLength,
    backbone,
    standardisation,
)
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.pretrain import with_reference_bank
from selftime.engine.solve import sample_for


def adapt(model: ModelOrFolder, x: Any, *, seed: int = 0) -> Model:
    """Return a new model for series of other lengths, scales and channels than it learned from.

    Nothing is trained. Scaling, and the means and deviations by which vectors are standardised,
    are measured anew on the given series without their labels. Lengths need nothing. Channels:

    - A model of one channel reads every channel by itself, with the same weights.
    - Of a network of several channels, a channel takes the input weights of the one with its
      name. Those without a namesake take the others in turn, by position (:func:`channel_map`).
    - Random convolutions of several channels are drawn for their number, and cannot follow.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective="simclr", budget="2 steps")
        >>> st.adapt(model, st.sample("PenDigits", "train")[:10])
        Model(channels=2, dim=320)

    Args:
        model: stays as it is; its folder will do.
        x: whatever :func:`selftime.read` takes: the series it is to be used on.
        seed: draws the sample that statistics are measured on.

    Raises:
        SeriesError: bad input, or another kind of series than the model reads.
        ValueError: an encoder that cannot read so many channels.
    """
    model = model_at(model)
    series = match_kind(read(x, kind=kind_for(x, model.kind)), model.kind)
    if not is_numbered(model.channels) and {*series.channels} == {*model.channels}:
        series = select_channels(series, model.channels)
    fits = isinstance(model.scaling, PerChannel | Together)
    scale = scaling.fit(series) if fits else model.scaling
    encoder, how = match_channels(model, series.channels)
    few = scale.measure(series[sample_for(series, seed)])
    refit(encoder, scale.apply(batch_of(few)))
    size = f"{len(series)} series of {series.n_channels} channels"
    note = {"value": size, "reason": f"{how}; scaling and standardisation measured on them"}
    card = model.card | {"settings": model.card.get("settings", {}) | {"adapted": note}}
    made = Model(encoder.eval(), scale, series.channels, card, kind=series.kind, head=model.head)
    return with_reference_bank(made, series, seed)


def match_channels(model: Model, channels: Sequence[str]) -> tuple[Encoder, str]:
    """Return a copy of the encoder that reads other channels, and how it does."""
    encoder, old, new = copy.deepcopy(model.encoder), model.channels, tuple(channels)
    matrix, body = channel_map(old, new), backbone(encoder)
    drawn = not any(True for _ in encoder.parameters())
    closed = drawn or any(isinstance(part, Projected) for part in encoder.modules())
    if len(old) == len(new) and torch.equal(matrix, torch.eye(len(old))):
        return encoder, "its channels are those of the model"
    if len(old) == 1:
        each = ByChannel(channels=len(new), encoder=encoder if closed else body)
        whole = each if closed else Standardised(encoder=each)
        return UnitLength(encoder=whole), "each channel is read by itself"
    if closed:
        raise ValueError(
            f"got an encoder drawn for {len(old)} channels ({', '.join(old)}) and series with "
            f"{len(new)} ({', '.join(new)}): its kernels cannot follow; learn it on series of one "
            "channel, and it is run on each channel by itself"
        )
    network = UnitLength(encoder=Standardised(encoder=rebuild_for_channels(body, matrix)))
    return network, "input weights go by name, the others by position"


def channel_map(old: Sequence[str], new: Sequence[str]) -> Float[Tensor, "n o"]:
    """Return how much of the weights of each old channel each new one takes.

    A new channel takes those of its namesake. The new ones without a namesake take those of the
    old ones without one, by position and in turn; an old one that k of them take counts
    1/√k to each, so that standardised channels come in at the size that the network learned
    from. Old channels that nobody takes are as if they stood at their mean; new ones for which
    none is left have weights of 0. An average of all old weights for every new channel was tried
    and is not taken: the network would see nothing but the sum of the channels.

    Numbers that stand for names go by position.
    """
    unnamed = names_of_channels(len(old)) == tuple(old) or names_of_channels(len(new)) == tuple(new)
    same = torch.tensor([[a == b and not unnamed for b in old] for a in new]).float()  # (n,o)
    free_new, free_old = ((same.sum(dim=k) == 0).nonzero()[:, 0].tolist() for k in (1, 0))
    for new_one, old_one in zip(free_new, cycle(free_old), strict=False):
        same[new_one, old_one] = 1
    return same / same.sum(dim=0).clamp(min=1).sqrt()


def rebuild_for_channels(body: Encoder, matrix: Float[Tensor, "n o"]) -> Encoder:
    """Return the network for other channels, with all its weights but those of its input.

    A network that is made of other parts for so many channels is refused.
    """
    recipe, (n, o) = recipe_of(body), matrix.shape
    made = build(recipe_for_channels(recipe, n))
    wider = build(recipe_for_channels(recipe, o + 1)).state_dict()
    state = {
        name: map_weight(tensor, wider[name].shape, matrix)
        for name, tensor in body.state_dict().items()
    }
    shapes = {name: tensor.shape for name, tensor in made.state_dict().items()}
    if shapes != {name: tensor.shape for name, tensor in state.items()}:
        raise ValueError(
            f"got {type(body).__name__} of {o} channels, which for {n} is made of other parts: "
            "learn it on series of one channel, and it is run on each channel by itself"
        )
    made.load_state_dict(state)
    return made


def recipe_for_channels(recipe: Any, channels: int) -> Any:
    """Return a recipe for other channels; inner encoders of tokens or channels stay as they are."""
    if isinstance(recipe, list):
        return [recipe_for_channels(item, channels) for item in recipe]
    if not isinstance(recipe, dict):
        return recipe
    own = {"channels": channels} if "channels" in recipe else {}
    if recipe["class"] == "ByChannel":
        return recipe | own
    if recipe["class"] == "Embedded":
        return recipe | {"embedder": recipe_for_channels(recipe["embedder"], channels)}
    return {name: recipe_for_channels(value, channels) for name, value in recipe.items()} | own


def map_weight(weight: Tensor, wider: torch.Size, matrix: Float[Tensor, "n o"]) -> Tensor:
    """Return input weights for other channels; weights of all other kinds as they are.

    ``wider`` is the shape of the same weight in a network of one channel more: it differs along
    the axis of channels, each perhaps with several numbers. ``matrix`` is a :func:`channel_map`.
    """
    if weight.shape == wider:
        return weight
    (axis,) = [k for k, size in enumerate(wider) if size != weight.shape[k]]
    last = weight.movedim(axis, -1)
    each = last.reshape(*last.shape[:-1], matrix.shape[1], -1)  # (…,o,k)
    return torch.einsum("...ok,no->...nk", each, matrix).flatten(-2).movedim(-1, axis)


@torch.no_grad()
def refit(encoder: Encoder, x: Batch) -> None:
    """Measure every standardisation within an encoder anew, on the values that reach it."""

    def measure(part: nn.Module, arguments: tuple[Any, ...]) -> None:
        if isinstance(part, Standardised):
            part.mean, part.scale = standardisation(part.encoder.embed(*arguments))

    hooks = [part.register_forward_pre_hook(measure) for part in encoder.modules()]
    try:
        encoder.embed(x)
    finally:
        for hook in hooks:
            hook.remove()
