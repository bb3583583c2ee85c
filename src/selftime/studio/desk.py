"""The desk: what the page asks for, one method a question, each answered beside the loop."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import numpy as np
from fastapi import Request, Response
from starlette.background import BackgroundTask

from selftime.report.pictures.palette import CLASSES
from selftime.studio.analyses import LONGEST_HORIZON, MOST_HITS, Analyses
from selftime.studio.collection import CURVE_POINTS, Collection
from selftime.studio.learner import Learner
from selftime.studio.session import LOG, TABLE, LabelSession
from selftime.web.replies import JSON, Refusal, plain
from selftime.web.requests import media_of, object_of, parse_json, query_of, short

Found = TypeVar("Found")
MOST_THUMBS = 256
PATIENCE, _LOOK = 20.0, 0.05
"""Seconds that a question for news waits for some, and from one look to the next."""
ACTS = ("label", "clear", "skip", "undo", "redo")


class Desk:
    """The collection, the session and the threads that the routes of one studio share.

    One thread writes labels, one draws, one finds neighbours, and one forecasts and detects, which
    may take long, so that none waits for another.

    Args:
        collection: what is looked at.
        session: its labels.

    Attributes:
        ending: set to True, it lets questions for news go.
    """

    def __init__(self, collection: Collection, session: LabelSession) -> None:
        self.collection, self.session = collection, session
        self.learner = Learner(collection, session)
        self.analyses = Analyses(collection)
        self.ending = False
        self.writer = ThreadPoolExecutor(1, "studio-writes")
        self.drawer, self.finder, self.thinker = Helper("draws"), Helper("finds"), Helper("thinks")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Learn from labels while the block lasts."""
        self.learner.start()
        try:
            yield
        finally:
            self.end()
            await asyncio.to_thread(self.learner.stop)
            self.writer.shutdown(wait=True)  # no label is cut off
            for helper in (self.drawer, self.finder, self.thinker):
                helper.shutdown()

    def end(self) -> None:
        """Let questions for news go, and end what takes long."""
        self.ending = self.analyses.ending = True

    def version(self) -> str:
        """Return a text that changes with the labels and with what was found."""
        return f"{self.session.version}-{self.learner.count}-{self.analyses.count}"

    def state(self) -> dict[str, Any]:
        """Return all that changes while one works, but for what each series is."""
        version, found = self.version(), self.learner.found
        return {
            "news": version,
            "labels": self.session.state(),
            "stage": found.stage,
            "work": self.analyses.stage,
            "failure": found.failure,
            "ready": self.collection.vectors is not None,
            "queue": found.queue,
            "queued": found.queued,
            "learned": found.learned,
            "probe": found.facts,
        }

    async def about(self) -> Response:
        """Say what is looked at, and where its labels are."""
        facts: dict[str, Any] = {"session": str(self.session.folder), "log": LOG, "table": TABLE}
        facts |= {"colours": len(CLASSES), "notes": self.session.notes}
        return plain(await self._ask(self.drawer, self.collection.about) | facts)

    async def news(self, request: Request) -> Response:
        """Say what changed, once something did."""
        seen, clock = query_of(request, ("since",)).get("since", ""), asyncio.get_running_loop()
        end = clock.time() + PATIENCE
        while self.version() == seen and not self.ending and clock.time() < end:
            await asyncio.sleep(_LOOK)
        return plain(self.state())

    async def places(self) -> Response:
        """Return the map: two numbers for each series."""
        self._check_ready()
        assert self.collection.plane is not None
        return reply_of_array(self.collection.plane)

    async def codes(self) -> Response:
        """Return the class of each series, -1 without one, -2 where it was skipped."""
        version, _, own, skips = self.session.snapshot()
        return reply_of_array(np.where(skips & (own < 0), np.int16(-2), own), version)

    async def predictions(self) -> Response:
        """Return the class that the probe gives each series, then how sure it is, 255 at most."""
        found = self.learner.found
        if found.predicted is None or found.confidence is None:
            raise Refusal(404, "there is no probe yet: label series of two classes")
        both = np.stack([found.predicted, found.confidence.astype(np.int16)])
        return reply_of_array(both, found.learned)

    async def thumbs(self, request: Request) -> Response:
        """Return how some series look, small."""
        words = query_of(request, ("rows",)).get("rows", "").split(",")
        if len(words) > MOST_THUMBS:
            raise Refusal(413, f"got {len(words)} rows, wanted at most {MOST_THUMBS}")
        rows = np.array([number_in(word, "rows", len(self.collection)) for word in words], np.int64)
        return plain(await self._ask(self.drawer, lambda: self.collection.thumbs(rows)))

    async def entry(self, row: str) -> Response:
        """Return a series by itself."""
        number = number_in(row, "row", len(self.collection))
        return plain(await self._ask(self.drawer, lambda: self.collection.entry(number)))

    async def curve(self, request: Request) -> Response:
        """Return a part of a recording."""
        asked = query_of(request, ("recording", "start", "stop", "points"))
        i = self._recording(asked)
        start, stop = (number_in(asked.get(name, ""), name) for name in ("start", "stop"))
        points = number_in(asked.get("points", str(CURVE_POINTS)), "points", 2 * CURVE_POINTS)
        return plain(
            await self._ask(self.drawer, lambda: self.collection.curve(i, start, stop, points))
        )

    async def find(self, request: Request) -> Response:
        """Return series whose names hold a text."""
        text = query_of(request, ("text",)).get("text", "")
        return plain(await self._ask(self.drawer, lambda: self.collection.find(text)))

    async def act(self, request: Request) -> Response:
        """Label, clear, skip, undo or redo; what is answered is on disk."""
        asked = await json_body(request, ("key", "kind", "rows", "label"))
        key, kind, rows = asked.get("key"), asked.get("kind"), asked.get("rows", [])
        label = asked.get("label")
        if not isinstance(key, str) or not re.fullmatch(r"[\w-]{8,64}", key):
            raise Refusal(422, f'"key" is {short(key)}, wanted 8 to 64 letters that are new')
        if kind not in ACTS:
            raise Refusal(422, f'"kind" is {short(kind)}, wanted one of {", ".join(ACTS)}')
        if not isinstance(rows, list) or set(map(type, rows)) - {int}:
            raise Refusal(422, f'"rows" is {short(rows)}, wanted a list of numbers')
        if (kind == "label") != isinstance(label, str):
            raise Refusal(422, f'"label" is {short(label)}, wanted a text to label with')
        try:
            work = lambda: self.session.act(key, str(kind), rows, label)  # noqa: E731
            touched = await run_beside(self.writer, work)
        except sqlite3.Error as error:
            text = f"{self.session.folder / LOG}: {error}: the label is not kept, make room"
            raise Refusal(507, text) from None
        self.learner.wake.set()
        reply = plain(self.session.state() | {"touched": touched[:1]})
        reply.background = BackgroundTask(
            run_beside, self.writer, self._write_newest(self.session.version)
        )
        return reply

    def _write_newest(self, version: int) -> Callable[[], None]:
        """Return work that writes the table, unless more was done by then, which writes it too."""

        def work() -> None:
            if self.session.version == version:
                self.session.write_table()

        return work

    async def table(self) -> Response:
        """Return the labels as csv."""
        return Response(await run_beside(self.writer, self.session.table), media_type="text/csv")

    async def export(self, request: Request) -> Response:
        """Bring the file of labels up to date, and say where it is."""
        await json_body(request, ())
        path = await run_beside(self.writer, self.session.write_table)
        if not path.exists():
            raise Refusal(409, "there are no labels yet: label a series first")
        return plain({"path": str(path.resolve())})

    async def alike(self, request: Request) -> Response:
        """Return the series most like another one."""
        self._check_ready()
        asked = query_of(request, ("row", "k"))
        row, k = number_in(asked.get("row", ""), "row", len(self.collection)), hits_in(asked)
        return plain(await self._ask(self.finder, lambda: self.analyses.alike(row, k)))

    async def neighbours(self, request: Request) -> Response:
        """Return what is most like a span of a recording."""
        self._check_ready()
        asked = query_of(request, ("recording", "start", "stop", "k"))
        i, k = self._recording(asked), hits_in(asked)
        start, stop = (number_in(asked.get(name, ""), name) for name in ("start", "stop"))
        work = lambda: self.analyses.neighbours(i, start, stop, k)  # noqa: E731
        return plain(await self._ask(self.finder, work))

    async def forecast(self, request: Request) -> Response:
        """Return what comes after a recording, with bands."""
        asked = query_of(request, ("recording", "horizon"))
        i, given = self._recording(asked), asked.get("horizon")
        steps = None if given is None else number_in(given, "horizon", LONGEST_HORIZON + 1)
        return plain(await self._ask(self.thinker, lambda: self.analyses.forecast(i, steps)))

    async def anomalies(self, request: Request) -> Response:
        """Return scores and alarms of a recording."""
        i = self._recording(query_of(request, ("recording",)))
        return plain(await self._ask(self.thinker, lambda: self.analyses.anomalies(i)))

    async def _ask(self, helper: "Helper", work: Callable[[], Found]) -> Found:
        """Return the result of work of a helper.

        Raises:
            Refusal: the studio ends before it is there.
        """
        task = asyncio.ensure_future(run_beside(helper, work))
        while not task.done():
            if self.ending:
                task.cancel()
                raise Refusal(503, "the studio ends: ask again once it is started anew", retry=1)
            await asyncio.wait({task}, timeout=_LOOK)
        return task.result()

    def _recording(self, asked: dict[str, str]) -> int:
        return number_in(asked.get("recording", ""), "recording", len(self.collection.recordings))

    def _check_ready(self) -> None:
        if self.collection.vectors is None:
            raise Refusal(503, "vectors are still being computed: come again", retry=1)


class Helper(Executor):
    """One thread that does one thing after another, and holds nobody up who ends.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self.todo: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        Thread(target=self._run, name=f"studio-{name}", daemon=True).start()

    def submit(self, work: Callable[[], Any]) -> Future[Any]:  # type: ignore[override]
        """Take some work; return what will hold its result."""
        future: Future[Any] = Future()
        self.todo.put((future, work))
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = True) -> None:  # noqa: ARG002
        """End once what is under way is done; nobody waits for it."""
        self.todo.put(None)

    def _run(self) -> None:
        while (asked := self.todo.get()) is not None:
            future, work = asked
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # whoever asked is told
                future.set_exception(error)


async def run_beside(pool: Executor, work: Callable[[], Found]) -> Found:
    """Return the result of work that is done beside the loop."""
    return await asyncio.get_running_loop().run_in_executor(pool, work)


async def json_body(request: Request, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the object of a body, whose length was seen before."""
    media_of(request, (JSON,))
    return object_of(parse_json(await request.body()), names)


def reply_of_array(array: np.ndarray, version: int | None = None) -> Response:
    """Return an array as its bytes, the low one first, and the version that it is of."""
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    headers = {} if version is None else {"X-Version": str(version)}
    return Response(little.tobytes(), media_type="application/octet-stream", headers=headers)


def number_in(text: str, name: str, count: int = 10**15) -> int:
    """Return a whole number of a query, less than a count.

    Raises:
        Refusal: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) >= count:
        raise Refusal(422, f"got {name} {short(text)}, wanted 0 to {count - 1:,}")
    return int(text)


def hits_in(asked: dict[str, str]) -> int:
    """Return how many hits are asked for.

    Raises:
        Refusal: it is out of range.
    """
    k = number_in(asked.get("k", "12"), "k", MOST_HITS + 1)
    if k < 1:
        raise Refusal(422, f"got k {k}, wanted 1 to {MOST_HITS}")
    return k
