"""Streams of clients: each has its state here, by an id that nobody can guess."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from selftime.engine.streaming.stream import Stream
from selftime.estimators.monitor import StreamMonitor
from selftime.serving.bodies import (
    Readable,
    check_numbers,
    series_of_json,
)
from selftime.serving.limits import Limits
from selftime.serving.shelf import Served
from selftime.web.replies import Refusal, json_list
from selftime.web.requests import object_of, short

OPTIONS: dict[str, tuple[type, ...]] = {
    "vectors": (bool,),
    "rate": (int, float),
    "distance": (str,),
    "cool_down": (int,),
    "learn": (int,),
    "window": (int,),
    "every": (int,),
    "normal": (list,),
}
"""Options of a stream, and their types in JSON: those of :class:`selftime.StreamMonitor`."""
_MOST_LEARN = 100_000
"""Timepoints that a monitor may learn from."""


@dataclass(eq=False)
class Session:
    """A stream of one client.

    Attributes:
        served: what it was begun with; it stays, also where the folder is replaced.
        reader: judges timepoints, or makes vectors of them.
        steps: timepoints so far.
        lock: values are taken in the order in which they arrive.
        last: when values came last, by a clock that only goes forth.
    """

    served: Served
    reader: StreamMonitor | Stream
    steps: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    last: float = field(default_factory=time.monotonic)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of its values."""
        assert self.served.model is not None
        return self.served.model.channels

    def advance(self, values: Float64[np.ndarray, "k C"]) -> dict[str, Any]:
        """Return scores, p-values and alarms of the next timepoints, or their vectors."""
        self.steps += len(values)
        if isinstance(self.reader, Stream):
            vectors = self.reader.update(np.ascontiguousarray(values.T))
            return {"steps": self.steps, "vectors": json_list(vectors)}
        found = [self.reader.update(step) for step in values]
        each = dict(zip(("score", "p", "alarm"), map(list, zip(*found, strict=True)), strict=True))
        return {"steps": self.steps, "ready": self.reader.is_ready, **each}


class StreamRoom:
    """The streams that are open, at most as many as the limits say.

    Args:
        limits: how many there may be, and how long each may be idle.

    Attributes:
        sessions: by id.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.sessions: dict[str, Session] = {}

    def check_room(self) -> None:
        """Check that one more stream may begin.

        Raises:
            Refusal: there are too many.
        """
        self.sweep()
        if len(self.sessions) >= self.limits.max_streams:
            raise Refusal(
                429,
                f"{len(self.sessions):,} streams are open, wanted fewer: end some by DELETE, "
                f"or wait until idle ones end ({self.limits.stream_idle:g} s)",
                retry=10,
            )

    def add(self, session: Session) -> str:
        """Keep a stream, and return its id.

        Raises:
            Refusal: there are too many.
        """
        self.check_room()
        name = secrets.token_urlsafe(16)
        self.sessions[name] = session
        return name

    def get(self, name: str) -> Session:
        """Return the stream of an id.

        Raises:
            Refusal: there is none, or it ended.
        """
        found, now = self.sessions.get(name), time.monotonic()
        if found is None or found.last < now - self.limits.stream_idle:
            raise Refusal(
                404, f"there is no stream {short(name)}: it ended, or never was; POST /streams"
            )
        found.last = now
        return found

    def end(self, name: str) -> int:
        """End a stream, and return how many timepoints it had.

        Raises:
            Refusal: there is none.
        """
        steps = self.get(name).steps
        del self.sessions[name]
        return steps

    def sweep(self) -> None:
        """End streams to which nothing came for too long."""
        since = time.monotonic() - self.limits.stream_idle
        idle = [name for name, one in self.sessions.items() if one.last < since]
        for name in idle:
            if not self.sessions[name].lock.locked():
                del self.sessions[name]


def begin_stream(served: Served, asked: Any, limits: Limits) -> Session:
    """Return a stream as it was asked for.

    Raises:
        Refusal: unknown options, or values of other types.
        ValueError: a model that cannot be streamed so, or options out of range.
    """
    if served.model is None:
        raise Refusal(422, f"{served.name} is a {served.class_name} without a model: no stream")
    options = options_of(asked)
    vectors, normal = options.pop("vectors", False), options.pop("normal", None)
    window, every = options.pop("window", None), options.pop("every", 1)
    if every < 1 or (window is not None and not 1 <= window <= limits.max_length):
        raise Refusal(422, f"got window {window} and every {every}, wanted 1 or more timepoints")
    if vectors:
        if options or normal is not None:
            raise Refusal(422, 'got "vectors" with options of scores, wanted window and every')
        return Session(served, served.model.stream(window=window, every=every))
    if not 0 <= options.get("learn", 0) <= _MOST_LEARN or options.get("cool_down", 0) < 0:
        raise Refusal(422, f"got learn or cool_down out of range, wanted 0 to {_MOST_LEARN:,}")
    if options.get("distance", "nearest") not in ("mahalanobis", "nearest"):
        raise Refusal(
            422, f'got distance {short(options["distance"])}, wanted "mahalanobis" or "nearest"'
        )
    how = Readable(served.kind, limits, {})
    given = None if normal is None else series_of_json({"series": normal}, how)
    if "rate" in options:
        options["rate"] = float(options["rate"])  # 1 is a number too
    monitor = StreamMonitor(served.model, normal=given, window=window, every=every, **options)
    return Session(served, monitor)


def options_of(asked: Any) -> dict[str, Any]:
    """Return options of JSON that are of their types; null is as if it was not there."""
    given = object_of(asked, tuple(OPTIONS))
    found = {name: value for name, value in given.items() if value is not None}
    for name, value in found.items():
        if type(value) not in OPTIONS[name]:
            wanted = " or ".join(kind.__name__ for kind in OPTIONS[name])
            raise Refusal(422, f'"{name}" is {short(value)}, wanted {wanted}')
    return found


def timepoints_of(asked: Any, channels: int, limits: Limits) -> Float64[np.ndarray, "k C"]:
    """Return the next timepoints of ``{"values": [[…], …]}``, NaN where null stands.

    Raises:
        Refusal: no numbers, of another number of channels, or too many timepoints.
    """
    rows = object_of(asked, ("values",)).get("values")
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, f'"values" is {short(rows)}, wanted a list of timepoints')
    if len(rows) > limits.max_length:
        raise Refusal(413, f"got {len(rows):,} steps, wanted at most {limits.max_length:,}")
    for k, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != channels:
            raise Refusal(
                422,
                f"values, step {k} is {short(row)}, wanted a list of {channels} numbers, one "
                "for each channel",
            )
        check_numbers(row, f"values of step {k}")
    try:
        found = np.array(rows, np.float64)
    except OverflowError:
        raise Refusal(422, "values hold a number beyond 64 bits: rescale") from None
    with np.errstate(over="ignore"):
        if np.isinf(found.astype(np.float32)).any():
            raise Refusal(422, "values hold a number beyond 32 bits: rescale, or write null")
    return found
