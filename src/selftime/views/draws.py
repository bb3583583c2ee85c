"""Random numbers for views: drawn where the generator lives, so a seed means one result."""

import torch
from torch import Generator, Tensor


def normal(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Standard normal float32 numbers, brought to the device of ``like``."""
    return torch.randn(shape, generator=rng, device=rng.device).to(like.device)


def uniform(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Uniform float32 numbers in [0, 1), brought to the device of ``like``."""
    return torch.rand(shape, generator=rng, device=rng.device).to(like.device)


def either_way(*shape: int, rng: Generator, like: Tensor) -> Tensor:
    """Uniform float32 numbers in [-1, 1), brought to the device of ``like``."""
    return 2 * uniform(*shape, rng=rng, like=like) - 1


def check_share(name: str, value: float) -> None:
    """A share or a chance lies between 0 and 1.

    Raises:
        ValueError: it does not.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"got {name}={value}, wanted a share from 0 to 1: 0.1 is a tenth")


def check_strength(name: str, value: float) -> None:
    """A strength is not negative: views draw its sign themselves.

    Raises:
        ValueError: it is negative or not a number.
    """
    if not value >= 0:
        raise ValueError(f"got {name}={value}, wanted 0 or more: 0 leaves the series as it is")


def check_count(name: str, value: int, least: int) -> None:
    """A count is at least ``least``.

    Raises:
        ValueError: it is less.
    """
    if value < least:
        raise ValueError(f"got {name}={value}, wanted at least {least}: use {name}={least} or more")
