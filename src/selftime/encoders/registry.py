"""The registry of encoder classes: an encoder as plain values, and built from them again."""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from selftime.data.records import LARGEST, unpack
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import FrameEmbedder, SymbolEmbedder, WaveEmbedder
from selftime.encoders.networks.inception import InceptionTime
from selftime.encoders.networks.patching import Embedder, GridEmbedder, PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.recurrent import GRU, LSTM
from selftime.encoders.networks.resnet import ResNet
from selftime.encoders.networks.transformer import ClassToken, Transformer
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.layered import Layered
from selftime.encoders.wrappers.normalised import ByChannel, InstanceNormalised
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength
from selftime.settings import settings_of

ENCODERS: dict[str, type[Encoder]] = {
    kind.__name__: kind
    for kind in (
        *(MiniRocket, Hydra, Quantiles, Dilated),
        *(PatchEmbedder, GridEmbedder, SymbolEmbedder, WaveEmbedder, FrameEmbedder, Embedded),
        *(Transformer, ClassToken, InstanceNormalised, ByChannel),
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


Made = TypeVar("Made", bound=nn.Module)
_MOST_PARTS, _DEEPEST = 100, 20
"""Encoders in one recipe, and within one another: those that are saved have fewer than ten."""


def build(recipe: Any) -> Encoder:
    """Build the encoder of a recipe, its tensors not yet loaded.

    A class not in :data:`ENCODERS`, settings it does not have, values of other types than its
    constructor says, numbers beyond ten million, or too many parts raise a ValueError.
    """
    _check_parts(recipe)
    return _build(recipe)


def _build(recipe: Any) -> Encoder:
    if not isinstance(recipe, dict) or not isinstance(recipe.get("class"), str):
        raise ValueError(f"got encoder {_short(recipe)}, wanted {{'class': …, settings}}")
    if recipe["class"] not in ENCODERS:
        raise ValueError(
            f"got encoder {_short(recipe['class'])}, wanted one of {', '.join(ENCODERS)}"
        )
    kind = ENCODERS[recipe["class"]]
    types = _types_of(kind)
    settings = {name: value for name, value in recipe.items() if name != "class"}
    if unknown := set(settings) - set(types):
        raise ValueError(
            f"{kind.__name__} has no setting {', '.join(sorted(map(_short, unknown)))}"
        )
    return kind(**{name: _setting(name, value, types[name]) for name, value in settings.items()})


def _check_parts(recipe: Any) -> None:
    """Raise a ValueError for more parts than an encoder can have, before any of them is built."""
    parts, level = 0, [recipe]
    for _ in range(_DEEPEST):
        parts += sum(isinstance(value, dict) for value in level)
        inner = [value.values() if isinstance(value, dict) else value for value in level]
        level = [part for values in inner for part in values if isinstance(part, dict | list)]
        if parts > _MOST_PARTS or not level:
            break
    if parts > _MOST_PARTS or level:
        raise ValueError(
            f"got more than {_MOST_PARTS} encoders, or more than {_DEEPEST} within one another"
        )


@cache
def _types_of(kind: type[Encoder]) -> dict[str, Any]:
    """Return the types of the settings of a class, as its constructor says them."""
    hints = get_type_hints(kind.__init__)
    return {name: hints[name] for name in inspect.signature(kind).parameters}


def _setting(name: str, value: Any, type: Any) -> Any:
    """Return a setting of its type, an encoder built; raise a ValueError for any other value."""
    is_encoder = inspect.isclass(type) and issubclass(type, Encoder | Embedder)
    if is_encoder or isinstance(value, dict):
        made = _build(value)
        if not is_encoder or not isinstance(made, type):
            raise ValueError(f"got {name} {made}, wanted {_name_of(type)}")
        return made
    if get_args(type) == (Encoder,):
        return [_build(part) for part in value] if isinstance(value, list) else _build(value)
    try:
        found = unpack(value, type, {}, {})
    except ValueError:
        raise ValueError(f"got {name} {_short(value)}, wanted {_name_of(type)}") from None
    for number in found if isinstance(found, tuple) else (found,):
        is_number = isinstance(number, int | float) and name != "seed"
        if is_number and not abs(number) <= LARGEST:
            raise ValueError(f"got {name} {number}, wanted at most {LARGEST}")
    return found


def _name_of(type: Any) -> str:
    return getattr(type, "__name__", str(type)) if inspect.isclass(type) else str(type)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def rebuild(recipe: Any, channels: int, state: dict[str, Tensor]) -> Encoder:
    """Build an encoder from its recipe and tensors, which may be anything.

    Raises:
        ValueError: they do not fit; classes may raise other errors for settings that are unsound.
    """
    _check_parts(recipe)
    for part, read in _recipes_in(recipe, channels):
        if part.get("channels", read) != read:
            raise ValueError(f"got an encoder of {part['channels']} channels, wanted {read}")
        strides = part.get("strides")
        depth = len(strides) if isinstance(strides, list) else part.get("depth", 1)
        if part.get("class") != "Quantiles" and isinstance(depth, int) and depth > len(state):
            raise ValueError(f"got {depth} layers, but {len(state)} tensors")
    encoder = fill(lambda: build(recipe), state)
    if (read := getattr(encoder, "channels", channels)) != channels:
        raise ValueError(f"got an encoder of {read} channels, wanted {channels}")
    check_tensors(encoder, channels)
    return encoder.eval()


def fill(make: Callable[[], Made], state: dict[str, Tensor]) -> Made:
    """Return what is made, with the values of tensors in place of those that it has drawn.

    Its numbers are counted while it is made: it ends where there are more than tensors explain.

    Raises:
        ValueError: tensors that are too few, left over, or of another shape or type.
    """
    with _Counter(sum(tensor.numel() for tensor in state.values())):
        made = make()
    wanted = made.state_dict()
    if unlike := set(wanted) ^ set(state):
        name = min(unlike)
        raise ValueError(f"the tensor {name} is {'missing' if name in wanted else 'one too many'}")
    for name, tensor in state.items():
        both = (tensor, wanted[name])  # a number may be kept as a row of one
        got, form = ((tuple(t.shape) or (1,), str(t.dtype)) for t in both)
        if got != form:
            raise ValueError(f"the tensor {name} is {got}, settings say {form}")
    made.load_state_dict(state)
    return made


_FREE_NUMBERS = 1 << 26
"""Numbers that may be drawn beside those that are kept, such as orders of channels."""
_SHAPED = {f: f for f in (torch.empty, torch.zeros, torch.ones, torch.full)}
_SHAPED |= dict.fromkeys((torch.rand, torch.randn), torch.empty)
"""Functions that make tensors, and those that give their shapes."""


class _Counter(TorchFunctionMode):
    """Counts the numbers of tensors before torch makes them, and raises a ValueError beyond some.

    Args:
        held: numbers that the tensors of a file hold; four times as many may be made, since layers
            are made and drawn one after the other.
    """

    def __init__(self, held: int) -> None:
        super().__init__()
        self.left = 4 * held + _FREE_NUMBERS

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func in _SHAPED:  # on the device "meta" a tensor has a shape and takes no memory
            plain = {k: v for k, v in given.items() if k != "generator"}
            self.left -= _SHAPED[func](*args, **plain | {"device": "meta"}).numel()
        elif func is torch.empty_like:
            self.left -= args[0].numel()
        elif func is torch.arange:
            self.left -= len(range(*map(int, args)))
        if self.left < 0:
            raise ValueError("settings ask for far more numbers than the tensors hold")
        return func(*args, **given)


def check_tensors(encoder: Encoder, channels: int) -> None:
    """Raise a ValueError for tensors with NaN or missing channels: kernels do not check again."""
    for name, tensor in encoder.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity")
        if tensor.dtype == torch.long and not ((tensor >= -1) & (tensor < channels)).all():
            raise ValueError(f"{name} reads channels that do not exist")


def _recipes_in(value: Any, channels: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield every recipe within a recipe, itself first, and the number of channels it reads."""
    if isinstance(value, dict):
        yield value, channels
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield from _recipes_in(item, _channels_within(value, name, channels))


def _channels_within(value: Any, name: str | int, channels: int) -> int:
    """Return the channels that the part of this name within a recipe reads."""
    kind = value.get("class") if isinstance(value, dict) else None
    if kind == "ByChannel":
        return 1
    if kind == "Embedded" and name == "encoder" and isinstance(value.get("embedder"), dict):
        width = value["embedder"].get("dim")
        return width if isinstance(width, int) else channels
    return channels
