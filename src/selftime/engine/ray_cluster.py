"""Clusters: work on the machines of Ray, which shares it out and does it again if a worker dies."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from selftime.door import option

ATTEMPTS = 4
"""Times that a piece of work is begun at most, where its worker dies each time."""
_ANSWERS = 10.0
"""Seconds in which a cluster answers that does at all."""


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
def _plain_errors(ray: Any) -> Iterator[None]:
    """Raise what the work raised, not that of Ray around it."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayActorError as error:
        raise death_of(error) from None
