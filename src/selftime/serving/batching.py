"""Batching: requests that wait while others are encoded are encoded together, in one thread."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from selftime.data.series import SeriesSet
from selftime.serving.answers import RowList, rows_of_parts
from selftime.serving.limits import Limits
from selftime.serving.shelf import Served
from selftime.web.replies import Refusal

MOST = 256
"""Series that are encoded before others get their turn."""


@dataclass(eq=False)
class Waiting:
    """A request that waits: its series, or work that is done by itself, and its result to be."""

    result: "asyncio.Future[Any]"
    since: float
    served: Served
    task: str
    series: SeriesSet | None
    work: Callable[[], Any] | None = None

    def joins(self, other: "Waiting") -> bool:
        """Return whether both are done in one turn: encoded together, or one after the other."""
        if self.series is None or other.series is None:
            return self.series is other.series
        return self.served is other.served and self.task == other.task


class Batcher:
    """A queue of requests, whose work is done in one thread, so that the loop stays free.

    Args:
        limits: how many may wait, how long each waits for others, and for its answer.
        worker: does the work, a piece at a time.
        watch: called with the number of series that are encoded together.
        turn: pieces of work by itself that are done before any of them is answered.
    """

    def __init__(
        self,
        limits: Limits,
        worker: Executor,
        watch: Callable[[int], None] = lambda _: None,
        turn: int = 1,
    ) -> None:
        self.limits, self.worker, self.watch, self.turn = limits, worker, watch, turn
        self.queue: deque[Waiting] = deque()
        self.count = 0
        self._some = asyncio.Event()

    async def rows(self, served: Served, task: str, series: SeriesSet) -> RowList:
        """Return what a model says of each series, once it is this request's turn.

        Raises:
            Refusal: too many wait, or it takes too long.
        """
        found: RowList = await self._wait(served, task, series, None)
        return found

    async def run(self, served: Served, work: Callable[[], Any]) -> Any:
        """Return the result of work that is done by itself, once it is its turn.

        Raises:
            Refusal: too many wait, or it takes too long.
        """
        return await self._wait(served, "", None, work)

    async def _wait(
        self,
        served: Served,
        task: str,
        series: SeriesSet | None,
        work: Callable[[], Any] | None,
    ) -> Any:
        if self.count >= self.limits.max_waiting:
            raise Refusal(503, f"{self.count:,} requests wait already: come again", retry=1)
        loop = asyncio.get_running_loop()
        one = Waiting(loop.create_future(), loop.time(), served, task, series, work)
        self.queue.append(one)
        self.count += 1
        self._some.set()
        try:
            return await asyncio.wait_for(one.result, self.limits.timeout)
        except TimeoutError:
            raise Refusal(
                503,
                f"the answer took longer than {self.limits.timeout:g} seconds: send fewer or "
                "shorter series, or come again",
                retry=int(self.limits.timeout) + 1,
            ) from None
        finally:
            self.count -= 1

    async def serve(self) -> None:
        """Do the work of those that wait, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._some.wait()
            if self.queue and self.queue[0].work is None and len(self.queue) < MOST:
                ready = self.queue[0].since + self.limits.batch_wait
                await asyncio.sleep(max(ready - loop.time(), 0))
            some = self._take()
            if not some:
                self._some.clear()
                continue
            settle(some, await loop.run_in_executor(self.worker, self._work, some))

    def _take(self) -> list[Waiting]:
        """Take the first that waits, and those that can be encoded together with it."""
        while self.queue and self.queue[0].result.done():
            self.queue.popleft()
        if not self.queue:
            return []
        first = self.queue.popleft()
        some, rest, size = [first], deque[Waiting](), _size(first)
        most = MOST if first.work is None else self.turn
        for other in self.queue:
            if size < most and first.joins(other) and not other.result.done():
                some.append(other)
                size += _size(other)
            else:
                rest.append(other)
        self.queue = rest
        return some

    def _work(self, some: list[Waiting]) -> list[Any]:
        """Return a result for each request, or the error that it made."""
        first = some[0]
        if first.work is not None:
            return [attempt(one.work) for one in some if one.work is not None]
        parts = [one.series for one in some if one.series is not None]
        self.watch(sum(map(len, parts)))
        found = attempt(lambda: rows_of_parts(first.served, first.task, parts))
        if not isinstance(found, Exception):
            return list(found)
        if len(some) == 1:
            return [found]
        return [  # whoever is at fault, the others are answered
            attempt(lambda own=part: rows_of_parts(first.served, first.task, [own])[0])  # type: ignore[misc]
            for part in parts
        ]


def _size(one: Waiting) -> int:
    return 1 if one.series is None else len(one.series)


def attempt(work: Callable[[], Any]) -> Any:
    """Return the result of work, or the error that it raised."""
    try:
        return work()
    except Exception as error:  # is raised where the answer is waited for
        return error


def settle(some: list[Waiting], answers: list[Any]) -> None:
    """Hand each request that still waits its answer or its error."""
    for one, answer in zip(some, answers, strict=True):
        if one.result.done():
            continue
        if isinstance(answer, Exception):
            one.result.set_exception(answer)
        else:
            one.result.set_result(answer)
