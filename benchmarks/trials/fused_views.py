"""`python -m benchmarks.trials.fused_views --cache FOLDER`: window kNN over views, fused by rank.

TODO figures
"""

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.alarms import counted, summary, words_of
from benchmarks.anomaly import COLLECTIONS, Labelled, all_series, judged
from selftime.tasks.anomaly.alarms import judge_steps
from selftime.tasks.anomaly.detect import DEFAULT_MEMBERS as TODAY
from selftime.tasks.anomaly.detect import combine_scores, fuse_scores, record_of
from selftime.tasks.anomaly.oddness import odd_steps
from selftime.tasks.anomaly.record import FLAT_SHARE, ChannelRecord
from selftime.tasks.anomaly.scores import SCORES
from selftime.tasks.anomaly.scores.convolutions import window_statistics
from selftime.tasks.anomaly.scores.distances import principal, statistics_of

AGE = 500
"""Steps after which what came is remembered: as the patience of thresholds."""
FINER = 8
"""Where places matter windows to compare with begin so many times as often."""
COMPONENTS = 32
PARTS = {"even": slice(0, None, 2), "odd": slice(1, None, 2), "all": slice(None)}
"""Series by place: the first choose, the second judge."""
VIEWS = ("centred", "normalised", "spectrum", "statistics", "differences", "convolutions")
ALIGNED = ("values", "centred", "normalised", "differences")
NOW = ("statistics 1", "statistics 2", "convolutions 1", "convolutions 2", "values 1")
MEMBERS = (*NOW, "normalised 1")
"""The members of today, with windows of every few steps in the place of the matrix profile."""
ROUNDS = """views 1, normal, ranks; views 1 2, normal, ranks; views 1 2, normal, tails;
views ½ 1, normal, tails; views 1 2, earlier, tails; views 1 2, normal, powers;
views 1 2, aged, powers; members, normal, powers; members, aged, powers;

views ½ 1 2, normal, ranks; views ½ 1 2, normal, tails; recent views 1 2, normal, ranks;
recent views 1 2, normal, tails; views 1 2, normal aged, ranks; views 1 2, earlier, powers;
members, earlier, powers;

members, normal, tails; recent members, normal, tails; recent members, normal, ranks;
recent views 1 2, normal aged, ranks; recent views 1 2, normal aged, tails;
members spectrum, earlier, powers;

recent members, earlier, powers; recent members, earlier, tails"""
"""Views and their lengths in windows, memories, fusion. A round was written down before any of its
figures was seen, and after those of the rounds before it."""
VARIANTS = [" ".join(name.split()) for name in ROUNDS.split(";")]
ALARMS = ("recent views 1 2, normal, ranks", "recent views 1 2, normal, tails")
"""Variants whose alarms are judged too."""


def parts_of(variant: str) -> tuple[tuple[str, ...], list[str], str]:
    """Views with their lengths in windows, memories, and how scores are fused."""
    group, memories, fusion = variant.split(", ")
    words = group.removeprefix("recent ").split()
    views = tuple(f"{view} {length}" for view in VIEWS for length in words[1:])
    if words[0] == "members":
        views = (*MEMBERS, *(f"{view} 1" for view in words[1:]))
    if group.startswith("recent "):
        views = tuple(f"recent {v}" if v.split()[0] in ALIGNED else v for v in views)
    return views, memories.split(), fusion


def spectra(windows: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Logarithms of amplitudes of tapered windows, with a floor at a hundredth of the greatest."""
    centred = windows - windows.mean(axis=1, keepdims=True)
    found = np.abs(np.fft.rfft(centred * np.hanning(windows.shape[1] + 2)[1:-1], axis=1))
    return np.log(found + 1e-2 * found[usual].mean(axis=0).max() + 1e-9)


def vectors_of(view: str, record: ChannelRecord, starts: np.ndarray) -> np.ndarray:
    """The windows of a record as vectors."""
    is_recent, view = view.startswith("recent "), view.removeprefix("recent ")
    usual = record.usual(starts, record.width)
    if view == "convolutions":
        return principal(window_statistics(record, starts), usual, most=16, whiten=True)
    windows = sliding_window_view(record.values, record.width)[starts]
    if view == "statistics":
        found = statistics_of(windows)
        std = np.maximum(found[usual].std(axis=0), 1e-3 * np.abs(found[usual]).max() + 1e-9)
        return found / std
    if view == "spectrum":
        found = spectra(windows, usual)
    elif view == "differences":
        found = np.diff(windows, axis=1, append=windows[:, -1:])
    else:
        found = windows - (windows.mean(axis=1, keepdims=True) if view != "values" else 0)
    if view == "normalised":
        floor = max(FLAT_SHARE * float(record.known.std()), 1e-6)
        found = found / np.maximum(windows.std(axis=1, keepdims=True), floor)
    if is_recent:
        found = found * np.linspace(0, 1, record.width + 1)[1:]
    near = principal(found, usual, most=COMPONENTS)
    whole = np.square(found - found[usual].mean(axis=0)).sum(axis=1)
    rest = np.sqrt(np.maximum(whole - np.square(near).sum(axis=1), 0))  # off those directions
    return np.column_stack([near, rest])


def distances(view: str, record: ChannelRecord) -> dict[str, np.ndarray]:
    """Distance of each window to the nearest one of every memory that does not overlap it."""
    width, starts = record.width, record.starts(record.width)
    stride = max(int(starts[1] - starts[0]) // FINER, 1) if len(starts) > 1 else 1
    finer = np.arange(0, record.steps - width + 1, stride)
    among = np.union1d(finer, starts) if view.split()[-1] in ALIGNED else starts
    vectors = vectors_of(view, record, among).astype(np.float64)
    lengths = np.square(vectors).sum(axis=1)
    inside = int(np.searchsorted(among, record.train - width, side="right"))
    gaps = {"normal": width, "earlier": width, "aged": max(width, AGE)}
    out = {memory: np.full(len(starts), np.inf) for memory in gaps}
    rows = np.searchsorted(among, starts)
    for k, start in enumerate(starts):
        if k % 256 == 0:
            part = rows[k : k + 256]
            squares = lengths[part, None] + lengths - 2 * vectors[part] @ vectors.T
        own = squares[k % 256]
        for memory, gap in gaps.items():
            before, behind = np.searchsorted(among, [start - gap + 0.5, start + gap - 0.5])
            if memory == "normal":
                found = own[: min(before, inside)], own[behind:inside]
            else:
                found = own[:before], own[len(own) if record.past_only else behind :]
            out[memory][k] = min(out["normal"][k], *(x.min(initial=np.inf) for x in found))
    return {k: np.sqrt(np.maximum(np.where(np.isfinite(x), x, 0), 0)) for k, x in out.items()}


def all_distances(series: Labelled, past: bool, cache: Path) -> dict[str, np.ndarray]:
    """Distances of all views, lengths and memories, and the scores of today; kept in a file."""
    name = series.name.replace("/", "_").replace(": ", "_")
    path = cache / f"{name}{', past' if past else ''}.npz"
    found = dict(np.load(path)) if path.exists() else {}
    record, known = record_of(series.values, series.train, past, ()), len(found)
    for length, own in of_lengths(record).items():
        for view in ("values", *VIEWS, *(f"recent {view}" for view in ALIGNED)):
            if f"{view} {length}, normal" not in found and (past or "recent" not in view):
                nearest = distances(view, own)
                found |= {f"{view} {length}, {memory}": x for memory, x in nearest.items()}
    if "now" not in found:
        found["now"] = combine_scores(record, [SCORES[m](record) for m in TODAY])
    if len(found) > known:
        np.savez(path, **found)
    return found


def of_lengths(record: ChannelRecord) -> dict[str, ChannelRecord]:
    """The record with windows of half, one and two widths."""
    widths = {"½": max(record.width // 2, 1), "1": record.width, "2": record.double}
    return {name: replace(record, width=width) for name, width in widths.items()}


def ranks(x: np.ndarray, normal: np.ndarray, past: bool) -> np.ndarray:
    """Minus the logarithm of the share of normal and earlier windows, or of all, as far away."""
    among = np.sort(x[normal] if past else x)
    out = -np.log(1 - np.searchsorted(among, x) / (len(among) + 1))
    for i in np.flatnonzero(~normal) if past else ():
        place = np.searchsorted(among, x[i])
        out[i] = -np.log(1 - place / (len(among) + 1))
        among = np.insert(among, place, x[i])
    return out


def tails(x: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the share of known steps as far away, exponential beyond a tenth."""
    among = np.sort(x[known])
    base = float(np.quantile(among, 0.9))
    scale = max(float((among[among > base] - base).mean()) if among[-1] > base else 0, 1e-9)
    share = np.minimum(np.searchsorted(among, x) / len(among), 0.9)
    return -np.log(1 - share) + np.maximum(x - base, 0) / scale


def fused(variant: str, record: ChannelRecord, found: dict[str, np.ndarray]) -> np.ndarray:
    """The score of every step by a variant, smoothed as today's."""
    (views, memories, fusion), lengths, rows = parts_of(variant), of_lengths(record), []
    known = np.arange(record.steps) < len(record.known)
    for view, memory in itertools.product(views, memories):
        own = lengths[view.split()[-1]]
        view = view if record.past_only else view.removeprefix("recent ")
        x, starts = found[f"{view}, {memory}"], own.starts(own.width)
        if fusion == "ranks":
            x = ranks(x, starts + own.width <= record.train, record.past_only)
        row = own.over_steps(x, starts, own.width)
        rows.append(tails(row, known) if fusion == "tails" else row)
    joined = fuse_scores(np.stack(rows), known) if fusion == "powers" else np.mean(rows, axis=0)
    return joined if record.past_only else record.smooth(joined)


def measured(series: Labelled, past: bool, cache: Path) -> dict[str, Any]:
    """Figures of one series, and counts of alarms of some."""
    found = all_distances(series, past, cache)
    record = record_of(series.values, series.train, past, ())
    scores = {"now": found["now"]}
    scores |= {name: fused(name, record, found) for name in VARIANTS}
    out: dict[str, Any] = {name: judged(series, x) for name, x in scores.items()}
    odd, seen = odd_steps(record).alone, np.ones(record.steps, bool)
    how = {"train": series.train, "rate": 0.01, "cool_down": record.width}
    for name in ("now", *ALARMS) if past else ():
        alarming = np.where(odd, scores[name], 0.0)
        inside = judge_steps(alarming, alarming[None], seen, **how).inside
        out[f"alarms, {name}"] = counted(series, inside, record.width)
    return out


def line_of(name: str, table: dict[str, Any], part: slice) -> str:
    """Means with standard errors over series, and what they are ahead of today's."""
    cells = []
    for rows in table.values():
        x = np.array([row[name] for row in rows])[part]
        gain = x - np.array([row["now"] for row in rows])[part]
        both = [f"{y.mean():6.3f} ± {y.std(ddof=1) / np.sqrt(len(y)):.3f}" for y in (x, gain)]
        cells.append(f"{both[0]} ({both[1]})")
    return "  ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="outside of the repository")
    cache = parser.parse_args().cache
    cache.mkdir(parents=True, exist_ok=True)
    for past in (True, False):
        table: dict[str, Any] = {name: [] for name in COLLECTIONS}
        for series in all_series():
            table[series.collection].append(measured(series, past, cache))
        (cache / f"figures{', past' if past else ''}.json").write_text(json.dumps(table))
        print("past-only" if past else "later windows allowed", *table)
        for name, part in itertools.product(("now", *VARIANTS), PARTS):
            print(f"{name:36s} {part:4s} {line_of(name, table, PARTS[part])}", flush=True)
        for name, key in itertools.product(("now", *ALARMS) if past else (), table):
            found = summary([row[f"alarms, {name}"] for row in table[key]], 1)
            print(f"alarms, {name:32s} {key:8s}", *words_of(found))


if __name__ == "__main__":
    main()
