"""Fingerprints: 64 bits that are equal for series with the same values, whatever their names.

A fingerprint depends on the observed values, their channels and their steps alone: not on ids,
labels, groups or channel names, not on the order of series or channels, not on what stands where
nothing was observed, and not on how much padding follows the last observed step. Values are
compared as 32-bit floats above their origin, bit by bit, so that writing and reading changes
nothing; of texts the symbols themselves are compared, whatever their places in a vocabulary.

Two different series share a fingerprint by chance once in 2⁶⁴ pairs: with a million series on
either side, once in 18 million comparisons of such sets.
"""

from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64
from safetensors.numpy import load_file, save_file

from selftime.data.memory import row_blocks
from selftime.data.series import SeriesSet
from selftime.data.signals import Text

Fingerprints = Int64[np.ndarray, "_"]
"""Fingerprints of a set of series, ascending, each once."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio, the step of SplitMix64."""


def fingerprints_of(series: SeriesSet) -> Int64[np.ndarray, "N"]:
    """Return the fingerprint of each series, in their order.

    Step and value, 32 bits each, are mixed for every observed value; the sum over a channel is
    mixed again, and so is the sum over channels, modulo 2⁶⁴ throughout. Sums do not know an
    order, so neither that of channels nor that of memory counts.
    """
    kind, offsets = series.kind, series.offsets
    sums = np.zeros((series.n_channels, len(series)), np.uint64)
    for rows in row_blocks(series.steps, series.observed):
        ends = np.searchsorted(offsets, [rows.start, rows.stop - 1], side="right")
        own = slice(int(ends[0]) - 1, int(ends[1]))  # the series that the rows are of
        begins = np.maximum(offsets[own], rows.start)
        first = np.repeat(offsets[own], np.diff(begins, append=rows.stop))
        within = (np.arange(rows.start, rows.stop) - first).astype(np.uint64) << np.uint64(32)
        steps = series.steps[rows]
        steps = _symbols_of(kind, steps) if isinstance(kind, Text) else steps
        for c in range(series.n_channels):
            values = np.ascontiguousarray(steps[:, c]) + np.float32(0)  # -0 becomes 0
            codes = splitmix64(within | values.view(np.uint32))
            if series.observed is not None:
                codes = np.where(series.observed[rows, c], codes, np.uint64(0))
            sums[c, own] += np.add.reduceat(codes, begins - rows.start)
    if series.origin is not None:
        sums ^= np.ascontiguousarray(series.origin.T + 0.0).view(np.uint64)
    return splitmix64(splitmix64(sums).sum(axis=0, dtype=np.uint64)).view(np.int64)


def _symbols_of(kind: Text, places: Float32[np.ndarray, "S 1"]) -> Float32[np.ndarray, "S 1"]:
    """Return the symbols at places of a vocabulary, as 24 bits of what each is called."""
    names = [blake2b(word.encode("utf-8", "replace"), digest_size=3) for word in kind.vocabulary]
    codes = np.array([int.from_bytes(name.digest(), "big") for name in names], np.float32)
    return np.asarray(codes[places.astype(np.int64)])


def merge_fingerprints(
    first: Fingerprints | None, second: Fingerprints | None
) -> Fingerprints | None:
    """Return the union of both; None where nothing is known of either."""
    known = [part for part in (first, second) if part is not None]
    return np.unique(np.concatenate(known)) if known else None


def are_among(series: SeriesSet, known: Fingerprints) -> Bool[np.ndarray, "N"]:
    """Return True for each series whose fingerprint is known."""
    return np.isin(fingerprints_of(series), known)


def splitmix64(z: UInt64[np.ndarray, "*n"]) -> UInt64[np.ndarray, "*n"]:
    """Mix 64-bit numbers one to one, so that every bit depends on all (SplitMix64).

    Steele, Lea & Flood 2014, *Fast Splittable Pseudorandom Number Generators*, figure 16; its
    increment comes first, so that 0 does not stay 0.
    """
    z = z + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: np.ndarray = z ^ (z >> np.uint64(31))
    return out


SEEN = "seen.safetensors"
"""The file in a model folder."""


def write_seen(folder: Path, fingerprints: Fingerprints | None) -> None:
    """Add the file to a model folder, if anything is known."""
    if fingerprints is not None:
        save_file({"fingerprints": np.ascontiguousarray(fingerprints)}, folder / SEEN)


def read_seen(folder: Path) -> Fingerprints | None:
    """Return the fingerprints in a model folder; None where it has none."""
    path = folder / SEEN
    if not path.is_file():
        return None
    try:
        stored = load_file(path)
    except Exception as error:  # safetensors raises several kinds
        raise ValueError(f"{SEEN} is damaged: {error}") from None
    found = stored.get("fingerprints")
    if len(stored) != 1 or found is None or found.dtype != np.int64 or found.ndim != 1:
        raise ValueError(
            f"{SEEN} holds {sorted(stored)}, wanted fingerprints (any number,) of int64"
        )
    return np.unique(found)
