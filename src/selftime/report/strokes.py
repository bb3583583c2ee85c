"""Series as strokes of a pen: thinned without losing a peak, and as SVG paths."""

import numpy as np
from jaxtyping import Float, Int64

SIDE = 1000
"""Strokes live in a square of this side, y downwards, and are stretched to wherever they go."""


def outline(values: Float[np.ndarray, "C T"], most: int) -> Float[np.ndarray, "C S"]:
    """A series in at most ``most`` steps that keeps every peak; shorter ones stay as they are.

    Equal stretches give their lowest and highest observed value, in the order in which the stretch
    runs; only a stretch that was missed altogether stays missing (NaN).
    """
    if values.shape[1] <= most:
        return values
    begins, ends = _stretches(values.shape[1], most)
    with np.errstate(invalid="ignore"):  # stretches without a value
        rising = values[:, ends - 1] >= values[:, begins]
        low = np.fmin.reduceat(values, begins, axis=1)
        high = np.fmax.reduceat(values, begins, axis=1)
    pairs = np.stack([np.where(rising, low, high), np.where(rising, high, low)], axis=2)
    return pairs.reshape(len(values), -1)


def outline_steps(T: int, most: int) -> Int64[np.ndarray, "S"]:
    """The steps of a series of ``T`` at which its :func:`outline` is drawn."""
    if most >= T:
        return np.arange(T)
    begins, ends = _stretches(T, most)
    return np.stack([begins, ends - 1], axis=1).ravel()


def _stretches(T: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of ``most // 2`` equal stretches begins and ends."""
    edges = np.linspace(0, T, max(most // 2, 1) + 1).astype(np.int64)
    return edges[:-1], edges[1:]


def svg_path(x: Float[np.ndarray, "S"], y: Float[np.ndarray, "S"]) -> str:
    """An SVG path through points given as shares of the square, y upwards.

    A missing value (NaN) lifts the pen; a value between two missing ones is a dot.
    """
    there = np.flatnonzero(np.isfinite(y))
    runs = np.split(there, np.flatnonzero(np.diff(there) > 1) + 1)
    return "".join(_stroke(SIDE * x[run], SIDE * (1 - y[run])) for run in runs if len(run))


def trace_path(level: Float[np.ndarray, "T"], most: int) -> str:
    """The path of one channel over the whole width, its values given as shares of the height."""
    T = len(level)
    at = outline_steps(T, most) / (T - 1) if T > 1 else np.array([0.5])
    return svg_path(at, outline(level[None], most)[0])


def _stroke(x: np.ndarray, y: np.ndarray) -> str:
    points = [f"{round(a)} {round(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return f"M{points[0]}" + ("L" + " ".join(points[1:]) if len(points) > 1 else "h0")
