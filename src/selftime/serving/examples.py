"""Examples of requests that run with the models that are served."""

from typing import Any

import numpy as np

from selftime.serving.answers import tasks_of
from selftime.serving.shelf import Served, Shelf

_STEPS = 48
"""Timepoints of the series of an example."""


def example_of(shelf: Shelf, task: str) -> tuple[dict[str, Any] | None, str | None]:
    """Return a body for a task that runs, and the model that it is for; None without one."""
    able = [one for one in shelf.served.values() if task in tasks_of(one)]
    for served in able:
        body = example_body(served, task)
        if body is not None:
            return body, served.name
    return None, able[0].name if able else None


def example_body(served: Served, task: str) -> dict[str, Any] | None:
    """Return a series, or a text, for a model; None where it reads neither."""
    if served.kind.name == "text":
        return {"series": ["a text of some letters"], "ids": ["first"]}
    if served.kind.name != "series":
        return None
    model = served.model
    channels = model.channels if task == "embed" and model else served.channels
    body = {"series": [waves(len(channels))], "channels": list(channels), "ids": ["first"]}
    given = served.found.fitted_.config.covariates if task == "forecast" else ()
    if given:
        ahead = waves(len(given), served.found.horizon)
        return body | {"future": {"series": [ahead], "channels": list(given), "ids": ["first"]}}
    return body


def example_of_stream(shelf: Shelf) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Return what begins a stream of vectors, two timepoints of it, and the model that it is of."""
    able = [one for one in shelf.served.values() if one.model and one.kind.name == "series"]
    channels = len(able[0].model.channels) if able and able[0].model else 1
    values = {"values": [[0.5] * channels, [None] * channels]}
    return {"vectors": True, "window": 32}, values, able[0].name if able else None


def waves(channels: int, steps: int = _STEPS) -> list[list[float]]:
    """Return a wave for each channel, in few digits."""
    t = np.arange(steps)
    return [np.round(np.sin(t / (2 + c)), 2).tolist() for c in range(channels)]
