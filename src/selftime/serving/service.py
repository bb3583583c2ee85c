"""The service: from a request to its answer, through the readers of bodies and the batcher."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import torch
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from selftime.door import through
from selftime.serving.answers import (
    Reply,
    answer_alone,
    answer_of_rows,
    body_of_answer,
    check_task_of,
    is_joined,
    prepare,
    tasks_of,
)
from selftime.serving.batching import Batcher
from selftime.serving.bodies import ARROW, Payload, Readable, payload_of
from selftime.serving.limits import Limits
from selftime.serving.metrics import Metrics
from selftime.serving.options import OF_TASKS
from selftime.serving.shelf import Served, Shelf
from selftime.serving.streams import StreamRoom, begin_stream, timepoints_of
from selftime.web.replies import JSON, Refusal, json_of, plain
from selftime.web.requests import media_of, parse_json, query_of

log = logging.getLogger(__name__)
Result = TypeVar("Result")

READING = ("id", "time", "label", "group", "channels", "layout", "time_zone")
"""Options of :func:`selftime.read` that a request may give for a table."""
_REFRESH = 2.0
"""Seconds from one look at the folders to the next."""


class Service:
    """Models, the queues of requests, streams and metrics of one server.

    One thread encodes and advances streams, another forecasts and detects, which may take long,
    and two read and write bodies; the loop itself never waits for work.

    Args:
        shelf: what is served.
        limits: on what comes in.

    Attributes:
        refresh: seconds from one look at the folders to the next.
    """

    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        self.shelf, self.limits, self.refresh = shelf, limits, _REFRESH
        self.room = StreamRoom(limits)
        self.held = 0
        self.metrics = Metrics(self.waiting, lambda: len(self.room.sessions))
        self._open()

    def _open(self) -> None:
        # Of torch they have all threads, also where they begin while another shares them out.
        own = torch.set_num_threads, (torch.get_num_threads(),)
        self.pools = [ThreadPoolExecutor(n, f"serving-{n}", *own) for n in (1, 1, 2)]
        quick, slow, self.readers = self.pools
        self.batcher = Batcher(self.limits, quick, self.metrics.sizes.observe, turn=64)
        self.slow = Batcher(self.limits, slow)

    def waiting(self) -> int:
        """Return how many requests wait for an answer."""
        return self.batcher.count + self.slow.count

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do the work that is asked for while the block lasts."""
        self._open()
        work = (self.batcher.serve(), self.slow.serve(), self._look())
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for pool in self.pools:
                pool.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> None:
        """Open folders that were replaced, and end streams that are idle, for ever."""
        while True:
            await asyncio.sleep(self.refresh)
            self.room.sweep()
            before = dict(self.shelf.errors)
            for name in await self._read(self.shelf.refresh):
                self.metrics.loads.labels(name).inc()
                log.warning("model %s was replaced and is open anew", name)
            for name, text in self.shelf.errors.items():
                if before.get(name) != text:
                    log.warning("model %s: %s", name, text)

    async def _read(self, work: Callable[[], Result]) -> Result:
        """Return the result of work on bodies, which is done beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, work)

    async def answer(self, task: str, request: Request) -> Response:
        """Return the answer to a request for a task.

        Raises:
            Refusal: a request that is not answered as it is.
            ValueError: series that cannot be read, or that the model was not made for.
        """
        own = OF_TASKS.get(task, {})
        query = query_of(request, ("model", *READING, *own))
        asked = {name: query.pop(name) for name in own if name in query}
        served = self.shelf.get(query.pop("model", None))
        check_task_of(served, task)
        media = media_of(request, (JSON, ARROW))
        notes: list[str] = []
        how = Readable(served.kind, self.limits, query)
        async with self.body_of(request) as body:
            content = await self._read(
                lambda: with_notes(notes, lambda: payload_in(served, task, body, media, how))
            )
            found = await self._answer_of(served, task, content, asked, notes)
            whole = await self._read(lambda: body_of_answer(served, found, notes, media))
        return Response(whole, media_type=media)

    async def _answer_of(
        self,
        served: Served,
        task: str,
        content: Payload,
        asked: Mapping[str, str],
        notes: list[str],
    ) -> Reply:
        if not is_joined(served, task):
            work = lambda: with_notes(notes, lambda: answer_alone(served, task, content, asked))  # noqa: E731
            alone: Reply = await self.slow.run(served, work)
            return alone
        rows = await self.batcher.rows(served, task, content.series)
        return await self._read(lambda: answer_of_rows(served, task, content.series, rows))

    async def begin(self, request: Request) -> Response:
        """Begin a stream; return its id.

        Raises:
            Refusal: unknown options, or too many streams.
            ValueError: a model that cannot be streamed so.
        """
        query = query_of(request, ("model",))
        served = self.shelf.get(query.get("model"))
        self.room.check_room()
        async with self.body_of(request) as body:
            media_of(request, (JSON,))
            asked = parse_json(body)
            session = await self.slow.run(served, lambda: begin_stream(served, asked, self.limits))
        name = self.room.add(session)
        facts = {"stream": name, "model": served.name, "version": served.version}
        return plain(facts | {"channels": list(session.channels)}, status=201)

    async def advance(self, name: str, request: Request) -> Response:
        """Return scores or vectors of the next timepoints of a stream.

        Raises:
            Refusal: no such stream, or no values of its channels.
        """
        query_of(request, ())
        session = self.room.get(name)
        async with self.body_of(request) as body, session.lock:
            media_of(request, (JSON,))
            channels = len(session.channels)
            values = await self._read(
                lambda: timepoints_of(parse_json(body), channels, self.limits)
            )
            found = await self.batcher.run(session.served, lambda: session.advance(values))
            return Response(await self._read(lambda: json_of(found)), media_type=JSON)

    def end(self, name: str) -> Response:
        """End a stream; return how many timepoints it had.

        Raises:
            Refusal: no such stream.
        """
        return plain({"steps": self.room.end(name)})

    def models(self) -> dict[str, Any]:
        """Return what is served, by name."""
        errors = self.shelf.errors
        return {
            name: one.facts() | {"tasks": tasks_of(one), "error": errors.get(name)}
            for name, one in self.shelf.served.items()
        }

    def health(self) -> dict[str, Any]:
        """Return whether all folders are open as they are now, without what is in them."""
        models = {
            name: {
                "version": one.version,
                "replaced": "the new folder cannot be opened, the old one serves"
                if name in self.shelf.errors
                else None,
            }
            for name, one in self.shelf.served.items()
        }
        return {"status": "degraded" if self.shelf.errors else "ok", "models": models}

    @asynccontextmanager
    async def body_of(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the body of a request, once all of it is here, and count it until the block ends.

        Raises:
            Refusal: it is too large, takes too long, or ends early.
        """
        limits, parts, size = self.limits, list[bytes](), 0
        declared = request.headers.get("content-length", "0")
        check_body(int(declared) if declared.isdecimal() else 0, limits)
        try:
            try:
                async with asyncio.timeout(limits.timeout):
                    async for part in request.stream():
                        size += len(part)
                        self.held += len(part)
                        parts.append(part)
                        check_body(size, limits)
                        if self.held > limits.max_held:
                            raise Refusal(503, "many large bodies are here: come again", retry=1)
            except TimeoutError:
                raise Refusal(
                    408,
                    f"got {size:,} bytes in {limits.timeout:g} seconds, wanted the whole "
                    "body: send less, or faster",
                ) from None
            except ClientDisconnect:
                raise Refusal(400, "the connection ended before the body did") from None
            yield b"".join(parts)
        finally:
            self.held -= size


def check_body(size: int, limits: Limits) -> None:
    """Check that a body is within the limit.

    Raises:
        Refusal: it is larger.
    """
    if size > limits.max_body:
        raise Refusal(
            413,
            f"got a body of {size:,} bytes or more, wanted at most {limits.max_body:,}: send "
            "fewer series at a time",
        )


def payload_in(served: Served, task: str, body: bytes, media: str, how: Readable) -> Payload:
    """Return the series of a body as a task takes them."""
    content = payload_of(body, media, how)
    if content.future is not None and task != "forecast":
        raise Refusal(422, f'got "future" for /{task}, wanted it for /forecast alone')
    return content._replace(series=prepare(served, task, content.series))


def with_notes(notes: list[str], work: Callable[[], Result]) -> Result:
    """Return the result of work, and put what it says among the notes."""
    with through("python", notes.append):
        return work()
