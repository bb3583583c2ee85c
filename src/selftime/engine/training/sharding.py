"""Weights shared out among the processes of a run: each keeps and moves its part (FSDP2).

Zhao et al. 2023, "PyTorch FSDP: experiences on scaling fully sharded data parallel", section 3. A
process keeps 1/P of the weights, their gradients, moments and averages, and gathers each layer of
the encoder while it is computed. `accelerate launch --use_fsdp --fsdp_version 2` asks for it. This
is torch's own `fully_shard`, and states are those of a single process, so a run may be taken up by
another number of processes.
"""

import os
from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from selftime.engine.training.layers import layers_of
from selftime.objectives.distributed import place

_Module = TypeVar("_Module", bound=nn.Module)


def is_sharding_asked_for() -> bool:
    """Return whether the launcher asked several processes to share out weights.

    Raises:
        ValueError: it asked for the first version of FSDP.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true" or place()[1] == 1:
        return False
    version = os.environ.get("FSDP_VERSION", "1")
    if version != "2":
        raise ValueError(
            f"got FSDP version {version}, wanted 2: start with accelerate launch --use_fsdp "
            "--fsdp_version 2, or leave out --use_fsdp"
        )
    return True


def sharded(module: _Module, device: torch.device) -> _Module:
    """Return a copy of a module on the device, of which each process keeps its part.

    Raises:
        ValueError: a weight without a dimension, which cannot be shared out.
    """
    if single := [name for name, weight in module.named_parameters() if weight.ndim == 0]:
        raise ValueError(
            f"got the weight {single[0]} of a single number, wanted one with a dimension to share "
            "out: leave out --use_fsdp"
        )
    made = deepcopy(module).to(device)
    mesh = init_device_mesh(device.type, (place()[1],))
    for layer in layers_of(made):
        fully_shard(layer, mesh=mesh, shard_placement_fn=divided_dimension)
    fully_shard(made, mesh=mesh, shard_placement_fn=divided_dimension)
    return made


def divided_dimension(weight: nn.Parameter) -> Shard:
    """Divide the largest dimension that all can share evenly: 3 taps would be padded."""
    even = [d for d, size in enumerate(weight.shape) if size % place()[1] == 0]
    return Shard(max(even, key=lambda d: weight.shape[d], default=0))


def gather_whole(part: Tensor) -> Tensor:
    """Return all of a tensor that is shared out, for which every process must ask; else itself."""
    return part.full_tensor() if isinstance(part, DTensor) else part


def part_like(tensor: Tensor, part: Tensor) -> Tensor:
    """Return a whole tensor that every process has, shared out as ``part`` is."""
    if not isinstance(part, DTensor) or tensor.shape != part.shape:
        return tensor
    on_device = tensor.to(part.device)
    return distribute_tensor(on_device, part.device_mesh, part.placements, src_data_rank=None)


@torch.no_grad()
def gather_into(plain: nn.Module, module: nn.Module) -> None:
    """Copy what all processes have of a module into one like it that each has as a whole."""
    plain.load_state_dict({name: gather_whole(part) for name, part in module.state_dict().items()})
