"""Metrics of a server, as Prometheus reads them."""

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)


class Metrics:
    """Counts of requests, seconds, sizes of batches, and what waits, of one server.

    Args:
        waiting: returns how many requests wait.
        streams: returns how many streams are open.
    """

    def __init__(self, waiting: Callable[[], float], streams: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter(
            "selftime_requests", "Requests that were answered.", ["route", "status"], registry=own
        )
        self.seconds = Histogram(
            "selftime_request_seconds",
            "From a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.sizes = Histogram(
            "selftime_batch_series",
            "Series that were encoded together.",
            buckets=_SIZES,
            registry=own,
        )
        self.loads = Counter("selftime_reloads", "Folders opened anew.", ["model"], registry=own)
        count = Gauge("selftime_waiting_requests", "Requests that wait.", registry=own)
        count.set_function(waiting)
        open_ones = Gauge("selftime_open_streams", "Streams that are open.", registry=own)
        open_ones.set_function(streams)
        ProcessCollector(registry=own)

    def see(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all of them in the format of Prometheus."""
        return generate_latest(self.registry)
