"""Kills training processes at random moments and says what they left; test_killed.py starts it.

The processes are forked from this one, which has imported everything but trained nothing: so they
begin at once, and torch has no threads that a fork would lose.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch
from training_material import training_of

from selftime.data.files import sweep
from selftime.data.storage import read_stored
from selftime.engine.training import loop as loop
from selftime.engine.training.checkpoint import (
    State,
    complete_checkpoints,
    newest_checkpoint,
)

BUDGET = "40 steps"
KILLS, MOST = 20, 200
LONGEST = 0.25
"""Seconds from a process's first checkpoint to its end at most."""


def digest_of(state: State) -> str:
    """A fingerprint of every number of a state, except how long it took."""
    found = hashlib.sha256(repr((state.facts["step"], state.facts["averaged"])).encode())
    for name in sorted(state.tensors):
        tensor = state.tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def train(folder: Path) -> None:
    """A run from its last checkpoint, if there is one, to the end; every step is saved."""
    loop.SAVING_SHARE = float("inf")  # else most kills would come between two saves
    sweep(folder)
    training = training_of("ts2vec", BUDGET)
    loop.run_training(training, state=newest_checkpoint(folder), checkpoints=folder)


def train_uninterrupted(folder: Path) -> None:
    """A run whose every state is written down as a fingerprint; nothing is saved on the way."""
    training = training_of("ts2vec", BUDGET)
    digests = {}
    while training.progress < 1:
        training.advance()
        digests[str(training.step)] = digest_of(training.state())
    (folder / "digests.json").write_text(json.dumps(digests))


def forked(work: Callable[[Path], None], folder: Path) -> int:
    """A process that works on a folder; its number."""
    child = os.fork()
    if child:
        return child
    try:
        work(folder)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def last_step(folder: Path) -> int:
    """Step of the newest checkpoint, by its name."""
    return max((int(path.name[-9:]) for path in complete_checkpoints(folder)), default=0)


def killed(child: int, folder: Path, delay: float) -> bool:
    """Kill a process some time after its first checkpoint, unless it ends before.

    Raises:
        SystemExit: it ended badly by itself.
    """
    begun, end = last_step(folder), None
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if end is None and last_step(folder) > begun:
            end = time.monotonic() + delay
        if end is not None and time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.001)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        sys.exit(f"a training process ended with {code}")
    return code != 0


def torn_in(folder: Path, digests: dict[str, str]) -> list[str]:
    """Checkpoints that count as finished and are not what the uninterrupted run had there."""
    torn = []
    for path in complete_checkpoints(folder):
        facts, tensors = read_stored(path / "state.json", path / "state.safetensors")
        state = State(tensors, facts)
        if digests[str(int(path.name[-9:]))] != digest_of(state):
            torn.append(str(path))
    return torn


def main(folder: Path, seed: int) -> None:
    """Run after run, killed and taken up until it is done, until there were enough kills."""
    torch.set_num_threads(1)
    training_of("ts2vec", BUDGET)  # torch imports a lot when an optimiser is first made
    dice = random.Random(seed)
    os.waitpid(forked(train_uninterrupted, folder), 0)
    digests = json.loads((folder / "digests.json").read_text())
    killed_at, halves, torn, ends, run = [], 0, [], [], 0
    for _ in range(MOST):
        if len(killed_at) >= KILLS and len(ends) == run:
            break
        if len(ends) == run:
            run += 1
        here = folder / str(run)
        if killed(forked(train, here), here, dice.uniform(0, LONGEST)):
            killed_at.append(last_step(here))
            halves += any(here.glob(".draft-*"))
        else:
            ends.append(digest_of(newest_checkpoint(here)))
        torn += torn_in(here, digests)
    found = {"killed_at": killed_at, "halves": halves, "torn": torn}
    found["ends"] = [end == digests[max(digests, key=int)] for end in ends]
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), seed=int(sys.argv[2]))
