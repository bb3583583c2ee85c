"""Small runs whose results are written down; test_ranks.py starts it in several processes."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from training_material import advanced, training_of

from selftime.engine.pretrain import pretrain
from selftime.engine.training import checkpoint
from selftime.engine.training.loop import Stopped, run_training
from selftime.engine.training.trainer import Trainer

STEPS, STOPPED_AFTER = 25, 3


def losses_of(name: str, steps: int = STEPS, **changes) -> list[float]:
    """Losses of a run in batches of 7, which two processes cannot share evenly."""
    return advanced(training_of(name, f"{steps} steps", batch_size=7, **changes), steps)


def ranks_of(training: Trainer) -> tuple[int, int]:
    """This process's number, and how many there are."""
    return training.accelerator.process_index, training.accelerator.num_processes


def stopped_and_taken_up(folder: Path) -> dict:
    """One run is stopped by a signal to its last process alone; another goes on with it."""
    first = training_of("simclr", "8 steps")
    rank, world = ranks_of(first)
    advance = first.advance

    def signalled():
        if rank == world - 1 and first.step + 1 == STOPPED_AFTER:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance()

    first.advance = signalled
    told = []
    try:
        run_training(
            first, callbacks=[lambda record: told.append(record["step"])], checkpoints=folder
        )
    except Stopped:
        told.append("stopped")
    first.accelerator.wait_for_everyone()
    second = training_of("simclr", "8 steps")
    second.restore(checkpoint.newest_checkpoint(folder))
    begun = second.step
    run_training(second)
    weights = torch.cat([weight.detach().flatten() for weight in second.average.weights])
    return {"told": told, "begun": begun, "weights": weights.tolist()}


def products_of_vectors() -> list[list[float]]:
    """What the closed form learns from batches that processes share out: vectors times vectors."""
    x = np.random.default_rng(0).normal(size=(200, 24)).cumsum(axis=1)
    vectors = pretrain(x, encoder="quantiles", progress=False).embed(x[:20], progress=False)
    return (vectors @ vectors.T).tolist()


def main(folder: Path) -> None:
    """Everything, written to a file a process."""
    torch.set_num_threads(1)
    folder.mkdir(exist_ok=True)
    made = {
        "ts2vec": losses_of("ts2vec"),
        "simclr": losses_of("simclr"),
        "two batches a step": losses_of("simclr", 10, accumulate=2),
        "stopped": stopped_and_taken_up(folder / "checkpoints"),
        "closed form": products_of_vectors(),
    }
    made["rank"], made["world"] = ranks_of(training_of("simclr"))
    (folder / f"{made['rank']}.json").write_text(json.dumps(made))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
