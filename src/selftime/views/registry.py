"""All views by name, with default settings and at a few strengths from weak to strong."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import Generator

from selftime.data.batch import Batch
from selftime.views.amplitude import (
    drift,
    flip,
    jitter,
    magnitude_warp,
    rotate,
    scale,
    smooth,
    spike,
)
from selftime.views.masks import channel_dropout, span_mask
from selftime.views.mild import Mild, View
from selftime.views.spectrum import frequency_mask, spectrum
from selftime.views.timing import (
    crop_resize,
    permute,
    reverse,
    shift,
    stretch,
    time_warp,
    window_warp,
)

VIEWS: dict[str, View] = {
    "mild": Mild(),
    "jitter": jitter,
    "scale": scale,
    "magnitude_warp": magnitude_warp,
    "flip": flip,
    "drift": drift,
    "spike": spike,
    "smooth": smooth,
    "rotate": rotate,
    "stretch": stretch,
    "shift": shift,
    "time_warp": time_warp,
    "window_warp": window_warp,
    "crop_resize": crop_resize,
    "permute": permute,
    "reverse": reverse,
    "channel_dropout": channel_dropout,
    "span_mask": span_mask,
    "spectrum": spectrum,
    "frequency_mask": frequency_mask,
}
"""Views with their default settings."""

Strength = float | int
"""The setting of a strength; a count for some views."""


class Graded(NamedTuple):
    """A view at several strengths.

    ``keyword`` is the argument that sets the strength, ``amounts`` are its values from weak to
    strong, the default among them, and ``views`` the view at each of them.
    """

    keyword: str
    amounts: tuple[Strength, ...]
    views: tuple[View, ...]


def grade(view: Callable[..., Batch], keyword: str, *amounts: Strength) -> Graded:
    """Set one argument of a view to each of several values."""
    views = tuple(partial(view, **{keyword: amount}) for amount in amounts)
    return Graded(keyword, amounts, views)


def mild(x: Batch, rng: Generator, *, strength: float) -> Batch:
    """:class:`Mild` at a strength."""
    return Mild(strength=strength)(x, rng)


def spectral(x: Batch, rng: Generator, *, removed: float) -> Batch:
    """Apply the view ``spectrum`` with as many raised as removed frequencies."""
    return spectrum(x, rng, removed=removed, raised=removed)


VIEW_STRENGTHS: dict[str, Graded] = {
    "mild": grade(mild, "strength", 0.25, 1.0, 2.0),
    "jitter": grade(VIEWS["jitter"], "strength", 0.0125, 0.05, 0.1),
    "scale": grade(VIEWS["scale"], "strength", 0.025, 0.1, 0.2),
    "magnitude_warp": grade(VIEWS["magnitude_warp"], "strength", 0.05, 0.2, 0.4),
    "flip": grade(VIEWS["flip"], "chance", 0.5),
    "drift": grade(VIEWS["drift"], "strength", 0.05, 0.2, 0.4),
    "spike": grade(VIEWS["spike"], "strength", 0.75, 3.0, 6.0),
    "smooth": grade(VIEWS["smooth"], "strength", 0.01, 0.04, 0.08),
    "rotate": grade(VIEWS["rotate"], "strength", 0.025, 0.1, 0.2),
    "stretch": grade(VIEWS["stretch"], "strength", 0.02, 0.08, 0.16),
    "shift": grade(VIEWS["shift"], "strength", 0.01, 0.04, 0.08),
    "time_warp": grade(VIEWS["time_warp"], "strength", 0.005, 0.02, 0.04),
    "window_warp": grade(VIEWS["window_warp"], "speed", 1.2, 2.0, 4.0),
    "crop_resize": grade(VIEWS["crop_resize"], "least", 0.975, 0.9, 0.8),
    "permute": grade(VIEWS["permute"], "segments", 2, 4, 8),
    "reverse": grade(VIEWS["reverse"], "chance", 0.5),
    "channel_dropout": grade(VIEWS["channel_dropout"], "chance", 0.05, 0.2, 0.4),
    "span_mask": grade(VIEWS["span_mask"], "share", 0.025, 0.1, 0.2),
    "spectrum": grade(spectral, "removed", 0.025, 0.1, 0.2)._replace(keyword="removed, raised"),
    "frequency_mask": grade(VIEWS["frequency_mask"], "share", 0.025, 0.1, 0.2),
}
"""A quarter of the default, the default and twice as strong; one strength where a series is
turned over or not at all."""
