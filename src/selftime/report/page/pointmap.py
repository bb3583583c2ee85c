"""The map of the page: a point for each series, and the series themselves, packed small."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.arrays import number_classes
from selftime.data.series import SeriesSet
from selftime.report.page.charts import outline
from selftime.report.page.sights import MOST_PIXELS, legend_of, sight_of
from selftime.report.pictures.maps import UNLABELLED, classes_of, principal_plane
from selftime.report.pictures.palette import CLASSES, MARKERS, class_style
from selftime.report.pictures.signals import channel_ranges, extent_of, is_curve, ranges_of

MOST_SERIES = 1000
"""Points of the map; of more series so many are drawn at random."""
_MAX_POINT_STEPS, _MIN_POINT_STEPS = 256, 16
"""Steps in which a series is drawn beside the map."""
_MAX_POINT_SYMBOLS = 600
"""Symbols of a text that are shown beside the map."""
_MAX_POINT_CHANNELS = 12
"""Channels of a series that are drawn beside the map."""
MOST_VALUES = 1_000_000
"""Values in all, a byte each: with many channels series are drawn in fewer steps."""
MAP_WIDTH, MAP_HEIGHT, _MAP_EDGE = 1000, 700, 40
"""Size of the map and the free space around its points, in its own units."""
_MAP_NEIGHBOURS = 3
_MISSING_BYTE = 255
"""The byte of a missing value; the others run from 0 to 254."""


@dataclass(frozen=True, kw_only=True)
class ClassPoints:
    """The points of one class."""

    name: str  # of the class; empty without labels
    code: int  # which class
    style: str  # class of the style sheet that colours it
    marker: str  # its shape, as matplotlib names it
    points: list[tuple[int, int, int]]  # (n,3) number of the point and its place
    middle: tuple[float, float]  # where the name is written, percent from the left and from the top


@dataclass(frozen=True, kw_only=True)
class PointMap:
    """The map, ready to be drawn."""

    classes: list[ClassPoints]  # the points, class by class
    caption: str  # how it was made
    agreement: str  # what the nearest series say about the classes; empty without labels
    radius: float  # size of a point
    data: dict[str, Any]  # what the script needs: ids, labels, places, neighbours and the series


def point_map(vectors: Float[np.ndarray, "N D"], series: SeriesSet) -> PointMap:
    """Draw the first two principal directions of the embeddings, and pack each series."""
    rows = sample_rows(len(series))
    shown, shown_vectors = series[rows], vectors[rows]
    points, shares = principal_plane(shown_vectors)
    places = place_points(points)
    names, codes = classes_of(shown)
    if len(names) > len(CLASSES) * len(MARKERS):  # values, not classes
        names, codes = [""], np.zeros(len(shown), np.int64)
    near = nearest_series(shown_vectors)
    some = f"{len(rows):,} of {len(series):,}" if len(rows) < len(series) else f"{len(rows):,}"
    return PointMap(
        classes=[_class_points(k, name, codes, places) for k, name in enumerate(names)],
        caption=f"{some} series on the first two principal directions of their embeddings, "
        f"which hold {100 * shares.sum():.0f} % of their variance.",
        agreement=neighbour_agreement(shown.labels, near) if len(names) > 1 else "",
        radius=9.0 if len(rows) <= 150 else 7.0 if len(rows) <= 500 else 5.5,
        data={
            "ids": shown.ids.astype(str).tolist(),
            "labels": None if shown.labels is None else label_texts(shown.labels),
            "codes": codes.tolist(),
            "places": places.tolist(),
            "near": near.tolist(),
            "extents": [extent_of(shown.kind, T) for T in shown.lengths.tolist()],
            **(_pack_series(shown) if is_curve(shown.kind) else _pack_sights(shown)),
        },
    )


def sample_rows(n: int) -> Int64[np.ndarray, "M"]:
    """Select the series that are shown: all, or so many drawn at random, always the same."""
    if n <= MOST_SERIES:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).permutation(n)[:MOST_SERIES])


def place_points(points: Float[np.ndarray, "N 2"]) -> Int64[np.ndarray, "N 2"]:
    """Place points on the map: each direction fills it, the second one upwards."""
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    share = np.where(span > 0, (points - low) / np.where(span > 0, span, 1), 0.5)
    share[:, 1] = 1 - share[:, 1]
    room = np.array([MAP_WIDTH, MAP_HEIGHT]) - 2 * _MAP_EDGE
    return np.asarray(np.rint(_MAP_EDGE + share * room), np.int64)


def label_texts(labels: np.ndarray) -> list[str]:
    """Return labels as they are shown."""
    return [UNLABELLED if label is None else str(label) for label in labels]


def nearest_series(vectors: Float[np.ndarray, "N D"]) -> Int64[np.ndarray, "N K"]:
    """Return the series most similar to each by cosine similarity, itself left out."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(length > 0, length, 1)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")
    return order[:, : min(_MAP_NEIGHBOURS, len(vectors) - 1)]


def neighbour_agreement(labels: np.ndarray | None, near: Int64[np.ndarray, "N K"]) -> str:
    """Say how often the most similar series has the same label, and how often by chance."""
    if labels is None or not near.shape[1]:
        return ""
    codes = number_classes(labels)[1]
    judged = (codes >= 0) & (codes[near[:, 0]] >= 0)
    if not judged.any():
        return ""
    same = float((codes[near[:, 0]] == codes)[judged].mean())
    sizes = np.bincount(codes[codes >= 0]) / (codes >= 0).sum()
    of = "them" if judged.all() else f"{judged.sum():,} labelled beside a labelled one"
    return (
        f"For {100 * same:.0f} % of {of} the most similar series has the same label "
        f"({100 * float((sizes**2).sum()):.0f} % by chance)."
    )


def _pack_series(series: SeriesSet) -> dict[str, Any]:
    """Pack the series for the script: a byte per value, between the ends of each channel.

    ``ends`` holds the lowest and the highest value of each channel of each series, so that
    peaks are drawn whole, and ``ranges`` the range in which all series are compared.
    """
    C = min(series.n_channels, _MAX_POINT_CHANNELS)
    steps = max(_MIN_POINT_STEPS, min(_MAX_POINT_STEPS, MOST_VALUES // (len(series) * C)))
    parts = [
        pack_values(outline(series.series(i)[:C].astype(np.float64), steps))
        for i in range(len(series))
    ]
    return {
        "channels": list(series.channels[:C]),
        "more_channels": series.n_channels - C,
        "ranges": [[_four_digits(end) for end in pair] for pair in channel_ranges(series)[:C]],
        "ends": [ends for ends, _ in parts],
        "levels": [levels for _, levels in parts],
    }


def _pack_sights(series: SeriesSet) -> dict[str, Any]:
    """Pack pictures or texts for the script, with a share of :data:`MOST_VALUES` for each."""
    each, ranges = MOST_VALUES // len(series), ranges_of(series)
    pixels, symbols = min(MOST_PIXELS, each), max(_MIN_POINT_STEPS, min(_MAX_POINT_SYMBOLS, each))
    sights = [
        sight_of(series.series(i), series.kind, ranges, name="", pixels=pixels, symbols=symbols)
        for i in range(len(series))
    ]
    return {
        "legend": legend_of(series.kind),
        "pictures": [one.picture for one in sights if one.picture],
        "look": sights[0].look,
        "texts": [one.text for one in sights if not one.picture],
    }


def pack_values(values: Float[np.ndarray, "C S"]) -> tuple[list[list[float]], str]:
    """Return the ends of each channel, and all values between them as bytes in base64."""
    finite = np.isfinite(values)
    low = np.min(values, axis=1, where=finite, initial=np.inf)
    high = np.max(values, axis=1, where=finite, initial=-np.inf)
    low, high = np.where(low <= high, [low, high], 0.0)  # (C,), (C,); 0 if nothing was observed
    span = np.where(high > low, high - low, 1.0)
    shares = (np.where(finite, values, low[:, None]) - low[:, None]) / span[:, None]
    data = np.where(finite, np.rint(254 * shares), _MISSING_BYTE).astype(np.uint8)
    ends = [[_four_digits(end) for end in pair] for pair in zip(low, high, strict=True)]
    return ends, b64encode(data.tobytes()).decode("ascii")


def _four_digits(value: float) -> float:
    """Round to 4 digits, which is finer than the bytes."""
    return float(f"{value:.4g}")


def _class_points(k: int, name: str, codes: np.ndarray, places: np.ndarray) -> ClassPoints:
    rows = np.flatnonzero(codes == k)
    x, y = np.median(places[rows], axis=0)
    return ClassPoints(
        name=name,
        code=k,
        style=f"c{k % len(CLASSES)}",
        marker=class_style(k)[1],
        points=[(i, *places[i].tolist()) for i in rows.tolist()],
        middle=(round(100 * float(x) / MAP_WIDTH, 1), round(100 * float(y) / MAP_HEIGHT, 1)),
    )
