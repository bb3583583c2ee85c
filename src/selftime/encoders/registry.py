"""The registry of encoder classes: an encoder as plain values, and built from them again."""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.wrappers.layered import Layered
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength
from selftime.settings import settings_of

ENCODERS: dict[str, type[Encoder]] = {
    kind.__name__: kind
    for kind in (
        *(MiniRocket, Hydra, Quantiles, Dilated),
        *(PatchEmbedder, Transformer, ClassToken, InstanceNormalised, ByChannel),
        *(ResNet, InceptionTime, PooledCNN, LSTM, GRU),
        *(Joined, Layered, Standardised, Projected, UnitLength),
    )
}
"""The only classes that a saved model may name."""


def recipe_of(encoder: Encoder) -> dict[str, Any]:
    """Class name and settings as plain values; :func:`build` makes the encoder anew."""
    return {"class": type(encoder).__name__} | {
        name: _plain(value) for name, value in settings_of(encoder).items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Encoder):
        return recipe_of(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def build(recipe: Any) -> Encoder:
    """Build the encoder of a recipe, its tensors not yet loaded.

    A class not in :data:`ENCODERS`, or settings it does not have, raise a ValueError.
    """
    if not isinstance(recipe, dict) or not isinstance(recipe.get("class"), str):
        raise ValueError(f"got encoder {recipe!r}, wanted {{'class': …, settings}}")
    if recipe["class"] not in ENCODERS:
        raise ValueError(f"got encoder {recipe['class']!r}, wanted one of {', '.join(ENCODERS)}")
    kind = ENCODERS[recipe["class"]]
    known = inspect.signature(kind).parameters
    settings = {name: value for name, value in recipe.items() if name != "class"}
    if unknown := set(settings) - set(known):
        raise ValueError(f"{kind.__name__} has no setting {', '.join(sorted(map(str, unknown)))}")
    return kind(**{name: _rebuild(value) for name, value in settings.items()})


def _rebuild(value: Any) -> Any:
    if isinstance(value, dict):
        return build(value)
    return [_rebuild(item) for item in value] if isinstance(value, list) else value


_LARGEST = 10_000_000
"""No setting but a seed is larger: sizes of encoders, steps of a series."""


def check_sizes(recipe: Any, channels: int, state: dict[str, Tensor]) -> None:
    """Raise a ValueError where a recipe asks for channels or sizes that its tensors do not have."""
    widths = {tensor.shape[-1] for tensor in state.values() if tensor.ndim}
    numbers = sum(tensor.numel() for tensor in state.values())
    for part, read in _recipes_in(recipe, channels):
        _check_part(part, read, widths, numbers)
        _check_patches(part, numbers)


def check_tensors(encoder: Encoder, channels: int) -> None:
    """Raise a ValueError for tensors with NaN or missing channels: kernels do not check again."""
    for name, tensor in encoder.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity")
        if tensor.dtype == torch.long and not ((tensor >= -1) & (tensor < channels)).all():
            raise ValueError(f"{name} reads channels that do not exist")


def _check_part(part: dict[str, Any], channels: int, widths: set[int], numbers: int) -> None:
    if part.get("channels", channels) != channels:
        raise ValueError(f"got an encoder of {part['channels']} channels, wanted {channels}")
    for name in ("dim", "hidden"):
        if name in part and part[name] not in widths:
            raise ValueError(f"got {name} {part[name]}, which no tensor has")
    depth = part.get("depth", 1)
    if "hidden" in part and depth * part["hidden"] ** 2 > numbers:
        raise ValueError(f"got {depth} layers of {part['hidden']}: tensors hold fewer")
    for name, value in part.items():
        if name != "seed" and isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError(f"got {name} {value}, wanted at most {_LARGEST}")


def _check_patches(part: dict[str, Any], numbers: int) -> None:
    """Check that a Transformer of patches draws no more weights than the tensors hold."""
    embedder = part.get("embedder", part)
    if "patch" not in embedder:
        return
    dim, depth = embedder["dim"], part.get("depth", 0)
    rows = -(-embedder["length"] // embedder["stride"]) if "positions" in part else 0
    table = dim * rows if part.get("positions") == "learned" else 0
    if max(dim * embedder["patch"], table, dim**2 * depth) > numbers:
        raise ValueError("got larger patches, positions or layers: tensors hold fewer numbers")


def _recipes_in(value: Any, channels: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield every recipe within a recipe, itself first, and the number of channels it reads."""
    inner = channels
    if isinstance(value, dict):
        yield value, channels
        inner = 1 if value.get("class") == "ByChannel" else channels
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _recipes_in(item, inner)
