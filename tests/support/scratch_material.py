"""Supervised from scratch made quick, where only what stands beside it is tried."""

from typing import Any

import pytest

from selftime.data.signals import Signal
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import recipe_of
from selftime.tasks.comparison import rows as references
from selftime.tasks.transfer import scratch


def narrow(*, channels: int, length: int, seed: int = 0) -> Dilated:
    """A small network in place of the large one that people get."""
    return Dilated(channels=channels, hidden=8, depth=3, dim=16, seed=seed)


def small_recipe(encoder: Encoder, channels: int, length: int, kind: Signal) -> dict[str, Any]:
    """Of a small network, whatever encoder it stands beside."""
    return recipe_of(narrow(channels=channels, length=length))


def make_scratch_quick(patch: pytest.MonkeyPatch) -> None:
    """Few steps of a small network: what it learns is tested in test_scratch.py."""
    patch.setattr(scratch, "MAX_TRAINING_STEPS", 3)
    patch.setattr(references, "network_like", small_recipe)
