"""When weights are shared out, and what is said where they cannot be; test_ranks.py does it."""

import re

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from training_material import training_of

from selftime.engine.training import sharding
from selftime.engine.training.sharding import (
    gather_into,
    gather_whole,
    is_sharding_asked_for,
    part_like,
    sharded,
)


def ask(monkeypatch, processes, **environment):
    monkeypatch.setattr(sharding, "place", lambda: (0, processes))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("processes", "environment", "asked"),
    [
        (2, {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, True),
        (1, {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, False),
        (2, {"ACCELERATE_USE_FSDP": "false", "FSDP_VERSION": "2"}, False),
        (2, {}, False),
    ],
)
def test_a_launcher_asks_for_it(monkeypatch, processes, environment, asked):
    ask(monkeypatch, processes, **environment)
    assert is_sharding_asked_for() == asked


def test_the_first_version_is_refused(monkeypatch):
    ask(monkeypatch, 2, ACCELERATE_USE_FSDP="true", FSDP_VERSION="1")
    with pytest.raises(ValueError, match="got FSDP version 1, wanted 2: .* --fsdp_version 2"):
        is_sharding_asked_for()


def test_a_weight_of_a_single_number_cannot_be_shared_out():
    module = nn.Module()
    module.register_parameter("scale", nn.Parameter(torch.ones(())))
    with pytest.raises(ValueError, match="got the weight scale of a single number"):
        sharded(module, torch.device("cpu"))


@pytest.mark.parametrize(
    ("shape", "processes", "divided"),
    [((3, 64, 32), 2, 1), ((3, 32, 64), 4, 2), ((8,), 2, 0), ((3, 5), 2, 0), ((6, 64), 3, 0)],
)
def test_the_largest_dimension_that_divides_evenly_is_divided(
    monkeypatch, shape, processes, divided
):
    ask(monkeypatch, processes)
    assert sharding.divided_dimension(nn.Parameter(torch.zeros(shape))).dim == divided


def test_what_is_not_shared_out_stays_itself():
    tensor = torch.ones(3)
    assert gather_whole(tensor) is tensor and part_like(tensor, torch.zeros(3)) is tensor
    plain, module = nn.Linear(2, 2), nn.Linear(2, 2)
    gather_into(plain, module)
    assert torch.equal(plain.weight, module.weight)


def test_shares_of_one_series_have_no_loss_of_their_own(monkeypatch):
    monkeypatch.setattr(Accelerator, "num_processes", property(lambda self: 4))
    said = "got negatives='own' for batches of 6 series in 4 processes, wanted 2 or more in each"
    with pytest.raises(ValueError, match=re.escape(said)):
        training_of("simclr", negatives="own")
