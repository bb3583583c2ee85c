"""Groups: all workers of a cluster make one model together, and begin anew where one dies."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selftime.data.places import on_behalf_of_writer
from selftime.door import Door, language, option, tell, through
from selftime.engine.model import Model, load
from selftime.engine.ray_cluster import ATTEMPTS, Ray, death_of, own_signals
from selftime.engine.training.processes import is_first_process
from selftime.engine.training.run_folder import Run, facts_in, status_in
from selftime.progress import Progress

_LISTENS = 0.2
"""Seconds between two looks for what workers say."""
FAILS = "fails"
"""Name under which a worker says what it failed by, other than the death of another one."""


def learn_together(
    call: Callable[..., Model], cluster: Ray, kept: Run | None, progress: Progress
) -> Model:
    """Let all workers of a cluster make one run, and read the model from its folder.

    Args:
        call: makes the run; takes ``run`` and ``progress``.
        cluster: whose workers learn.
        kept: the run; None where nothing is kept.
        progress: told by the first worker.

    Raises:
        ValueError: no folder that the machines of a cluster could write to.
    """
    if kept is None and not cluster.is_here:
        raise ValueError(
            f"got no folder for what the machines of a cluster learn: {option('run')}, on a disk "
            "that all of them reach"
        )
    with TemporaryDirectory() as own:
        run = kept or Run(folder=Path(own, "run"))
        run = replace(run, folder=run.folder.absolute())  # workers stand elsewhere
        hear: dict[str, Callable[..., None]] = {
            "progress": progress,
            "log": run.log or (lambda _: None),
            "note": lambda text: tell([text]),
        }
        job = SharedRun(call, replace(run, log=None, complete=None), language())
        together(cluster, job, hear, run.folder.parent)
        model = load(run.folder)
        if run.complete:
            run.complete(run.folder, model, facts_in(run.folder))
    return model


@dataclass(frozen=True)
class SharedRun:
    """A run that all workers of a cluster make together; the first of them writes its folder."""

    call: Callable[..., Model]
    run: Run
    language: Door

    def __call__(self, attempt: int, say: Callable[..., None]) -> None:
        """Make the run, or go on with it where a worker died in an earlier attempt."""
        run, first = self.run, is_first_process()
        if attempt and status_in(run.work) == "running":
            run = replace(run, overwrite=False)
        if first:
            run = replace(run, log=partial(say, "log"))
        note = partial(say, "note") if first else lambda _: None
        with on_behalf_of_writer(run.folder), through(self.language, note):
            self.call(run=run, progress=partial(say, "progress") if first else False)


def together(
    cluster: Ray,
    learn: Callable[[int, Callable[..., None]], None],
    hear: Mapping[str, Callable[..., None]],
    beside: Path,
) -> None:
    """Call a function in all workers at once, which are processes of one group of torch.

    It is called with the number of the attempt, from 0, and with a function ``say(name, …)``
    that calls one of ``hear`` here. Where a worker dies, all begin again.

    Args:
        cluster: whose workers they are.
        learn: what all workers call.
        hear: functions that workers may call, by name.
        beside: folder that all workers reach, where Ray keeps its own notes meanwhile.

    Raises:
        ChildProcessError: a worker died each time.
        Exception: what the function raised in a worker.
    """
    failures: list[Exception] = []
    ears = _ears({**hear, FAILS: failures.append})
    with cluster.join() as ray, _without_warnings(), ears as (line, listen):
        from ray import train
        from ray.train.torch import TorchTrainer

        gpus = int(ray.cluster_resources().get("GPU", 0))
        count = cluster.workers or gpus or cluster.count()
        scale = train.ScalingConfig(num_workers=count, use_gpu=gpus >= count)
        home = None if cluster.is_here else beside
        with TemporaryDirectory(prefix=".ray-", dir=home) as own:
            kept = train.RunConfig(storage_path=own, name="run")
            trainer = _without_guards(TorchTrainer) if cluster.is_here else TorchTrainer
            for attempt in range(ATTEMPTS):
                call = partial(_join_in, learn, attempt, line)
                try:
                    with own_signals():
                        trainer(call, scaling_config=scale, run_config=kept).fit()
                    return
                except train.TrainingFailedError as error:
                    why = error
                listen()
                if failures:
                    raise failures[0]
    raise death_of(why)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Leave out what Ray warns of in its own settings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _without_guards(trainer: type) -> type:
    """Leave out what watches over a cluster that outlives the run, and seconds of waiting for it.

    A cluster of this machine ends with the program: nothing is left behind that a cleaner would
    have to free (it looks for the dashboard, which is not started), and no machine is taken away.
    """
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")

    class Here(trainer):  # type: ignore[misc]
        def _create_default_callbacks(self) -> list[Any]:
            made = super()._create_default_callbacks()
            return [one for one in made if type(one).__name__ not in _GUARDS]

    return Here


_GUARDS = ("PlacementGroupCleanerCallback", "DatasetsCallback")


@contextmanager
def _ears(hear: Mapping[str, Callable[..., None]]) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Yield a queue for names of functions and their arguments, and what calls them at once.

    They are called every now and then anyway, in a thread.
    """
    from ray.util.queue import Queue

    line, ended, one = Queue(actor_options={"num_cpus": 0}), threading.Event(), threading.Lock()

    def listen() -> None:
        with one:
            for name, given in line.get_nowait_batch(line.qsize()):
                hear[name](*given)

    def keep_listening() -> None:
        while not ended.wait(_LISTENS):
            listen()

    here = copy_context()  # notes go where they go now
    ear = threading.Thread(target=here.run, args=(keep_listening,), daemon=True)
    ear.start()
    try:
        yield line, listen
    finally:
        ended.set()
        ear.join()
        listen()
        line.shutdown(force=True)


def _join_in(learn: Callable[[int, Callable[..., None]], None], attempt: int, line: Any) -> None:
    """Learn in one of the workers."""

    def say(name: str, *given: Any) -> None:
        line.put((name, given))

    try:
        learn(attempt, say)
    except (RuntimeError, ConnectionError):
        raise  # as when another worker dies
    except Exception as error:
        say(FAILS, error)
        raise
