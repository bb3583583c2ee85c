"""Fingerprints: 64 bits that tell whether two series hold the same values, whatever their names.

A fingerprint depends on the observed values, their channels and their steps alone: not on ids,
labels, groups or channel names, not on the order of series or channels, not on what stands where
nothing was observed, and not on how much padding follows the last observed step. Values are
compared as 32-bit floats, bit by bit, so that writing and reading changes nothing.

Two different series share a fingerprint by chance once in 2⁶⁴ pairs: with a million series on
either side, once in 18 million comparisons of such sets.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64
from safetensors.numpy import load_file, save_file

from selftime.data.series import SeriesSet

Fingerprints = Int64[np.ndarray, "_"]
"""Fingerprints of a set of series, ascending, each once."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio, the step of SplitMix64."""


def fingerprints_of(series: SeriesSet) -> Int64[np.ndarray, "N"]:
    """The fingerprint of each series, in their order.

    Step and value, 32 bits each, are mixed for every observed value; the sum over a channel is
    mixed again, and so is the sum over channels, modulo 2⁶⁴ throughout. Sums do not know an
    order, so neither that of channels nor that of memory counts.

    Args:
        series: N series of any lengths.
    """
    steps = np.arange(len(series.steps), dtype=np.int64)
    within = (steps - np.repeat(series.offsets[:-1], series.lengths)).astype(np.uint64)  # (S,)
    total = np.zeros(len(series), np.uint64)
    for channel in range(series.n_channels):
        valid = None if series.observed is None else series.observed[:, channel]
        codes = _hash_values(series.steps[:, channel], valid, within)
        total += splitmix64(np.add.reduceat(codes, series.offsets[:-1]))
    return splitmix64(total).view(np.int64)


def merge_fingerprints(
    first: Fingerprints | None, second: Fingerprints | None
) -> Fingerprints | None:
    """What either holds, each once; None where nothing is known of both."""
    known = [part for part in (first, second) if part is not None]
    return np.unique(np.concatenate(known)) if known else None


def are_among(series: SeriesSet, known: Fingerprints) -> Bool[np.ndarray, "N"]:
    """Which series hold exactly the values of one whose fingerprint is known."""
    return np.isin(fingerprints_of(series), known)


def _hash_values(
    values: Float32[np.ndarray, "S"],
    valid: Bool[np.ndarray, "S"] | None,
    within: UInt64[np.ndarray, "S"],
) -> UInt64[np.ndarray, "S"]:
    """A number for each value at its step; 0 where nothing was observed."""
    bits = (np.ascontiguousarray(values) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    codes = splitmix64(within << np.uint64(32) | bits)
    return codes if valid is None else np.where(valid, codes, np.uint64(0))


def splitmix64(z: UInt64[np.ndarray, "*n"]) -> UInt64[np.ndarray, "*n"]:
    """A bijection of 64-bit numbers after which every bit depends on all (SplitMix64).

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
    """The fingerprints in a model folder; None where it has none.

    Raises:
        ValueError: a damaged file, or one that holds something else.
    """
    path = folder / SEEN
    if not path.is_file():
        return None
    try:
        held = load_file(path)
    except Exception as error:  # safetensors raises several kinds
        raise ValueError(f"{SEEN} is damaged: {error}") from None
    found = held.get("fingerprints")
    if len(held) != 1 or found is None or found.dtype != np.int64 or found.ndim != 1:
        raise ValueError(f"{SEEN} holds {sorted(held)}, wanted fingerprints (any number,) of int64")
    return np.unique(found)
