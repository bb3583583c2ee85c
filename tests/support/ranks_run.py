"""Small runs whose results are written down; test_ranks.py starts it in several processes."""

import json
import os
import signal
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from training_material import advanced, training_of

from selftime.engine.pretrain import pretrain
from selftime.engine.solve import generator
from selftime.engine.training import checkpoint
from selftime.engine.training.config import TrainingConfig
from selftime.engine.training.loop import Stopped, run_training
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Recipe
from selftime.objectives.distributed import alone

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
    return {"told": told, "begun": begun, "weights": averages_of(second)}


def averages_of(training: Trainer) -> list[float]:
    """The averaged weights, wherever their parts are."""
    tensors = training.state().tensors
    return torch.cat([t.flatten() for k, t in tensors.items() if k.startswith("average.")]).tolist()


def products_of_vectors() -> list[list[float]]:
    """What the closed form learns from batches that processes share out: vectors times vectors."""
    x = np.random.default_rng(0).normal(size=(200, 24)).cumsum(axis=1)
    vectors = pretrain(x, encoder="quantiles", progress=False).embed(x[:20], progress=False)
    return (vectors @ vectors.T).tolist()


def gradients_of_own_losses() -> dict[str, list[float]]:
    """The gradient that a step takes, and the mean of those of both shares, by one process."""
    training = training_of("simclr", batch_size=7, negatives="own")
    plain, (_, world) = deepcopy(training.objective), ranks_of(training)
    training._gradients(0)
    with alone():
        for share, rows in enumerate(np.array_split(training.sampler.batch(0), world)):
            made = plain(training._batch(rows), generator(training.seed, world + share))
            (made.loss / world).backward()
    return {"got": gradient_of(training.objective), "wanted": gradient_of(plain)}


def gradient_of(module: torch.nn.Module) -> list[float]:
    """All gradients, one after the other."""
    return torch.cat([w.grad.flatten() for w in module.parameters() if w.grad is not None]).tolist()


def by_the_clock() -> list[int]:
    """Steps of a run that the clock ends: another clock in each process, one end for all."""
    training = training_of("simclr", "0.01 minutes")
    run_training(training)
    steps = torch.tensor([training.step])
    return training.accelerator.gather(steps).tolist()


def vectors_of_a_run(folder: Path) -> list[list[float]]:
    """Vectors of a whole run with series held out, its model saved and read back."""
    x = np.random.default_rng(0).normal(size=(20, 24)).cumsum(axis=1)
    recipe = Recipe(batch_size=8, averaging="mean")
    config = TrainingConfig(recipe=recipe, hold_out=0.2, judge_every=2, clip=1.0)
    model = pretrain(
        x, objective="byol", budget="6 steps", config=config, run=folder, progress=False
    )
    return model.embed(x, progress=False).tolist()


def shared_batches(folder: Path) -> dict:
    """What processes make that divide batches."""
    return {
        "ts2vec": losses_of("ts2vec"),
        "simclr": losses_of("simclr"),
        "two batches a step": losses_of("simclr", 10, accumulate=2),
        "stopped": stopped_and_taken_up(folder / "checkpoints"),
        "closed form": products_of_vectors(),
        "own": gradients_of_own_losses(),
        "by the clock": by_the_clock(),
    }


def shared_weights(folder: Path) -> dict:
    """What processes make that share out weights too."""
    return {
        "is sharded": training_of("simclr").is_sharded,
        "ts2vec": losses_of("ts2vec", 10),
        "clipped": losses_of("moco", 10, clip=0.5, accumulate=2),
        "stopped": stopped_and_taken_up(folder / "checkpoints"),
        "vectors": vectors_of_a_run(folder / "run"),
    }


def main(folder: Path, what: str) -> None:
    """Everything, written to a file a process."""
    torch.set_num_threads(1)
    folder.mkdir(exist_ok=True)
    made = {"batches": shared_batches, "weights": shared_weights}[what](folder)
    made["rank"], made["world"] = ranks_of(training_of("simclr"))
    (folder / f"{made['rank']}.json").write_text(json.dumps(made))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
