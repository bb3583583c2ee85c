"""Limits of a server, and refusals: a status with what came, what was wanted and what to do."""

import math
from typing import NamedTuple

from selftime.data.formats.bounds import parse_bytes


class Limits(NamedTuple):
    """Bounds on what a server takes at a time.

    Attributes:
        max_body: bytes of a body.
        max_series: series of a request.
        max_length: timepoints of a series, and of what is sent to a stream at a time.
        timeout: seconds that a body may take to arrive, and an answer to be computed.
        batch_wait: seconds that a request waits for others, to be encoded together.
        max_waiting: requests that wait for an answer; further ones are to come again.
        max_streams: streams that are open at a time.
        stream_idle: seconds without values after which a stream is ended.
    """

    max_body: int = 16_000_000
    max_series: int = 1_000
    max_length: int = 100_000
    timeout: float = 30.0
    batch_wait: float = 0.0
    max_waiting: int = 1_024
    max_streams: int = 2_000
    stream_idle: float = 600.0

    @property
    def max_held(self) -> int:
        """Bytes of all bodies that are in memory at a time."""
        return 16 * self.max_body


def limits_of(
    max_body: int | str, max_series: int, max_length: int, timeout: float, batch_wait: float
) -> Limits:
    """Return limits as people give them, with the others as usual.

    Args:
        max_body: bytes, or text such as "16 MB".
        max_series: series of a request.
        max_length: timepoints of a series.
        timeout: seconds.
        batch_wait: milliseconds.

    Raises:
        ValueError: a limit of no series, no timepoints or no time.
    """
    for name, value in (("max_series", max_series), ("max_length", max_length)):
        if value < 1:
            raise ValueError(f"got {name}={value}, wanted at least 1: raise it")
    if not (math.isfinite(timeout) and timeout > 0):
        raise ValueError(f"got timeout={timeout}, wanted seconds above 0: raise it")
    if not (math.isfinite(batch_wait) and 0 <= batch_wait <= 1000):
        raise ValueError(f"got batch_wait={batch_wait}, wanted 0 to 1000 milliseconds")
    return Limits(parse_bytes(max_body), max_series, max_length, timeout, batch_wait / 1000)
