"""Processes of a run: their devices, which of them writes, and what they must agree on."""

import os

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import broadcast

from selftime.engine.training.config import TrainingConfig


def accelerator_for(config: TrainingConfig) -> Accelerator:
    """Return devices, processes and precision as accelerate sees them."""
    on_cpu = PartialState().device.type == "cpu"
    # An earlier run in this process may have had another precision. Without a GPU accelerate has
    # to be told ``cpu``, else it takes each of several processes for the only one.
    AcceleratorState._reset_state(reset_partial_state=on_cpu)
    return Accelerator(
        cpu=on_cpu,
        mixed_precision=config.precision,
        gradient_accumulation_steps=config.accumulate,
    )


def is_first_process() -> bool:
    """Return whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def agree(accelerator: Accelerator, value: float) -> float:
    """Return what the first process has; every process must ask."""
    if accelerator.num_processes == 1:
        return value
    return float(broadcast(torch.tensor([value], device=accelerator.device)))


def check_shares(config: TrainingConfig, batch: int, processes: int) -> None:
    """Raise a ValueError where a process would have too few series for a loss of its own."""
    if config.negatives == "own" and processes > 1 and batch < 2 * processes:
        raise ValueError(
            f"got negatives='own' for batches of {batch} series in {processes} processes, wanted 2 "
            f"or more in each: batches of {2 * processes}, or negatives='gathered'"
        )
