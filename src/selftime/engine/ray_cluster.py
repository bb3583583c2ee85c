"""Clusters: work on the machines of Ray, which shares it out and does it again if a worker dies."""

import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from contextvars import copy_context
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from selftime.data.places import on_behalf_of_writer
from selftime.door import Door, language, option, tell, through
from selftime.engine.model import Model, load
from selftime.engine.training.processes import is_first_process
from selftime.engine.training.run_folder import Run, facts_in, status_in
from selftime.progress import Progress

ATTEMPTS = 4
"""Times that a piece of work is begun at most, where its worker dies each time."""
_ANSWERS = 10.0
"""Seconds in which a cluster answers that does at all."""
_LISTENS = 0.2
"""Seconds between two looks for what workers say."""


@dataclass(frozen=True, kw_only=True)
class Ray:
    """A cluster of Ray to work on: one that runs, or one here that ends with the work.

    Example:
        >>> import selftime as st
        >>> st.Ray(workers=8)
        Ray(address=None, workers=8)

    Attributes:
        address: of a cluster that runs, such as "head:6379" or "auto"; when None that of the
            variable ``RAY_ADDRESS``, and without one a cluster is started on this machine.
        workers: processes that work; when None one a core that the cluster has, to pretrain one a
            GPU where it has some.

    Raises:
        ValueError: no worker at all.
    """

    address: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"got {option('workers', self.workers)}, wanted at least 1")

    @property
    def is_here(self) -> bool:
        """True where the cluster is this machine alone, so that all workers see its files."""
        return not (self.address or os.environ.get("RAY_ADDRESS"))

    @contextmanager
    def join(self) -> Iterator[Any]:
        """Yield Ray, connected; a cluster that was started for it ends with the block.

        Where the program is connected already, that connection is used and stays.

        Raises:
            ValueError: Ray is not installed.
            OSError: nothing answers at the address.
        """
        ray = import_ray()
        if ray.is_initialized():
            yield ray
            return
        quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False}
        with own_signals():
            if self.is_here:
                cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
                count = self.workers or cores or os.cpu_count()
                ray.init(address="local", num_cpus=count, include_dashboard=False, **quiet)
            else:
                address = self.address or os.environ["RAY_ADDRESS"]
                check_answers(address)
                with _refusals():
                    ray.init(address=address, **quiet)
        try:
            with redirect_stdout(sys.stderr):  # where Ray says that a worker died
                yield ray
        finally:
            ray.shutdown()

    def count(self) -> int:
        """Return how many workers there are, at least 1; while joined."""
        return self.workers or max(int(import_ray().cluster_resources().get("CPU", 0)), 1)

    def each(
        self,
        work: Callable[[Any], Any],
        items: Sequence[Any],
        take: Callable[[int, Any], None],
    ) -> None:
        """Do work on each item, and call ``take`` with its number and the result as they come.

        The work is sent once to each worker. An item whose worker dies is done again by another.

        Raises:
            ChildProcessError: a worker died each time that an item was tried.
            Exception: what the work raised.
        """
        if not items:
            return
        with self.join() as ray:
            from ray.util import ActorPool

            hand = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=ATTEMPTS - 1)(Hand)
            hands = [hand.remote() for _ in range(min(self.count(), len(items)))]
            held = [ray.put(work)]  # in a list, so that a worker fetches it once
            jobs = [(number, item, held) for number, item in enumerate(items)]
            with _plain_errors(ray):
                for number, result in ActorPool(hands).map_unordered(_send, jobs):
                    take(number, deepcopy(result))  # of memory that goes when Ray does

    def together(
        self,
        learn: Callable[[int, Callable[..., None]], None],
        hear: Mapping[str, Callable[..., None]],
        beside: Path,
    ) -> None:
        """Call a function in all workers at once, which are processes of one group of torch.

        It is called with the number of the attempt, from 0, and with a function ``say(name, …)``
        that calls one of ``hear`` here. Where a worker dies, all begin again.

        Args:
            learn: what all workers call.
            hear: functions that workers may call, by name.
            beside: folder that all workers reach, where Ray keeps its own notes meanwhile.

        Raises:
            ChildProcessError: a worker died each time.
            Exception: what the function raised in a worker.
        """
        failures: list[Exception] = []
        ears = _ears({**hear, FAILS: failures.append})
        with self.join() as ray, _without_warnings(), ears as (line, listen):
            from ray import train
            from ray.train.torch import TorchTrainer

            gpus = int(ray.cluster_resources().get("GPU", 0))
            count = self.workers or gpus or self.count()
            scale = train.ScalingConfig(num_workers=count, use_gpu=gpus >= count)
            home = None if self.is_here else beside
            with TemporaryDirectory(prefix=".ray-", dir=home) as own:
                kept = train.RunConfig(storage_path=own, name="run")
                trainer = _without_guards(TorchTrainer) if self.is_here else TorchTrainer
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


FAILS = "fails"
"""Name under which a worker says what it failed by, other than the death of another one."""
Engine = Literal["local", "ray"] | Ray
"""Where work is done: in this process, on Ray as it is found, or on a cluster that is named."""


def cluster_of(engine: Engine) -> Ray | None:
    """Return the cluster that an engine is; None of this process.

    Raises:
        ValueError: an unknown engine.
    """
    if isinstance(engine, Ray):
        return engine
    if engine not in ("local", "ray"):
        raise ValueError(f"got {option('engine', engine)}, wanted local or ray")
    return Ray() if engine == "ray" else None


def import_ray() -> Any:
    """Return Ray, which tells nobody that it is used.

    Raises:
        ValueError: it is not installed.
    """
    if find_spec("ray") is None:
        raise ValueError("ray is not installed: pip install 'selftime[ray]'")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    return ray


def check_answers(address: str) -> None:
    """Check that something answers at an address, for which Ray would wait minutes.

    Raises:
        ConnectionError: nothing does.
    """
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not (host and port.isdigit()):
        return  # such as "auto", which Ray looks for itself
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWERS).close()
    except OSError as error:
        raise ConnectionError(
            f"nothing answers at {option('address', address)} ({error}): start the cluster there, "
            f"ray start --head --port {port}, or name where one runs"
        ) from None


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
        cluster.together(job, hear, run.folder.parent)
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


class Hand:
    """A worker: it holds the work, and does it on one item after the other."""

    def __init__(self) -> None:
        self.work: Callable[[Any], Any] | None = None

    def do(self, number: int, item: Any, held: list[Any]) -> tuple[int, Any]:
        """Return the number of an item, and what the work that is held makes of it."""
        self.work = self.work or import_ray().get(held[0])
        return number, self.work(item)


def _send(hand: Any, job: tuple[int, Any, list[Any]]) -> Any:
    return hand.do.remote(*job)


def death_of(why: Exception) -> ChildProcessError:
    """Return the error of work whose worker died each time, with the last words of Ray."""
    words = [line.strip() for line in str(why).splitlines() if line.strip()]
    return ChildProcessError(
        f"got work whose workers died {ATTEMPTS} times ({words[-1] if words else why!r}), wanted "
        "work that they can do: look whether their memory suffices and selftime is installed there"
    )


@contextmanager
def own_signals() -> Iterator[None]:
    """Keep how this program ends on a signal, which Ray would end in its own way.

    Raises:
        KeyboardInterrupt: Ctrl-C, after Ray has let go of its workers.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SystemExit as error:
        raise (KeyboardInterrupt if type(error) is SystemExit else error) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _refusals() -> Iterator[None]:
    """Say what may be wrong where a cluster answers and lets nobody in."""
    try:
        yield
    except ConnectionError as error:
        raise ConnectionError(
            f"{error}: look whether the versions of Ray and Python are those of the cluster, and "
            "the variable RAY_AUTH_TOKEN its token"
        ) from None


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
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "0.2"
    os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "0"

    class Here(trainer):  # type: ignore[misc]
        def _create_default_callbacks(self) -> list[Any]:
            made = super()._create_default_callbacks()
            return [one for one in made if type(one).__name__ not in _GUARDS]

    return Here


_GUARDS = ("PlacementGroupCleanerCallback", "DatasetsCallback")


@contextmanager
def _plain_errors(ray: Any) -> Iterator[None]:
    """Raise what the work raised, not that of Ray around it."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayActorError as error:
        raise death_of(error) from None


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
