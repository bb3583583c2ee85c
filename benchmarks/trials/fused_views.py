"""`python -m benchmarks.trials.fused_views --cache FOLDER`: window kNN over views, fused by rank.

Asked of one default: .923 on UCR, .65 on NAB and .84 on SMAP/MSL where later windows count, and
more than today's past-only. No variant has them. Views: values less their mean, normalised,
spectrum, statistics, differences, convolutions, of windows of ½, 1 and 2 widths; members: today's.
Where alignment matters, windows to compare with begin eight times as often; "recent" weighs values
by their place in the window, the newest most (past-only). Memory: the normal part; "aged": what is
500 steps away too; "both": a score of each; "earlier": all before too, and all behind where that
counts. Ranks: minus log of the share of normal and earlier windows, or of all, as far away; tails:
of normal steps, exponential beyond a tenth; powers: today's. Even places of 26, 18 and 9 series
choose, odd ones judge. A round (between empty lines) was written down before its figures, after
those of the rounds before. The table is also the list of what is measured.

                                      past, even      past, odd       past, all       later, all
    now                             .615 .452 .385  .769 .448 .570  .692 .450 .478  .885 .649 .838

    views 1, normal, ranks            .692 .434 .514  .769 .429 .516  .731 .432 .515  .846 .535 .690
    views 1 2, normal, ranks          .692 .481 .519  .692 .469 .566  .692 .475 .543  .808 .580 .740
    views 1 2, normal, tails          .692 .455 .402  .769 .446 .678  .731 .451 .540  .808 .597 .734
    views ½ 1, normal, tails          .692 .415 .434  .769 .405 .663  .731 .410 .548  .846 .532 .686
    views 1 2, earlier, tails         .692 .438 .385  .769 .426 .542  .731 .432 .464  .846 .595 .748
    views 1 2, normal, powers         .615 .460 .321  .692 .437 .685  .654 .449 .503  .808 .616 .793
    views 1 2, aged, powers           .615 .465 .429  .769 .432 .571  .692 .449 .500  .923 .634 .766
    members, normal, powers           .615 .449 .319  .615 .444 .686  .615 .447 .503  .769 .606 .807
    members, aged, powers             .615 .470 .438  .615 .439 .579  .615 .455 .508  .885 .642 .809

    views ½ 1 2, normal, ranks        .692 .474 .548  .769 .459 .560  .731 .467 .554  .808 .558 .715
    views ½ 1 2, normal, tails        .769 .442 .399  .769 .447 .731  .769 .444 .565  .846 .576 .718
    recent views 1 2, normal, ranks   .769 .498 .547  .769 .428 .581  .769 .465 .564  .808 .580 .740
    recent views 1 2, normal, tails   .846 .467 .452  .769 .432 .682  .808 .450 .567  .808 .597 .734
    views 1 2, both, ranks            .692 .479 .551  .769 .466 .533  .731 .473 .542  .808 .586 .799
    views 1 2, earlier, powers        .538 .448 .390  .769 .434 .565  .654 .442 .478  .923 .643 .767
    members, earlier, powers          .615 .449 .403  .769 .445 .574  .692 .447 .489  .885 .650 .844

    members, normal, tails            .615 .436 .433  .692 .461 .687  .654 .448 .560  .808 .596 .722
    recent members, normal, tails     .769 .441 .444  .769 .448 .692  .769 .444 .568  .808 .596 .722
    recent members, normal, ranks     .769 .487 .528  .692 .474 .621  .731 .481 .574  .808 .595 .725
    recent views 1 2, both, ranks     .769 .500 .580  .769 .441 .537  .769 .472 .558  .808 .586 .799
    recent views 1 2, both, tails     .846 .475 .423  .769 .432 .672  .808 .455 .548  .808 .605 .773
    members spectrum, earlier, powers .615 .448 .403  .769 .452 .574  .692 .450 .488  .885 .649 .842

    recent members, earlier, powers   .692 .445 .458  .769 .447 .573  .731 .446 .515  .885 .650 .844
    recent members, earlier, tails    .846 .461 .451  .769 .426 .577  .808 .445 .514  .808 .592 .764

Standard errors of all: .09, .05, .08 past-only, .07, .08, .06 else. Past-only, beside today's, what
even places choose (recent views, both, ranks) has .000 ± .000, -.007 ± .030, -.034 ± .142 on odd
ones: nothing. Recent views, normal, tails have .000 ± .000, -.016 ± .044, .111 ± .072 there, and
.115 ± .064, .000 ± .038, .089 ± .051 on all. Where later windows count both lose.

Made of, past-only: recent weights .077 to .115 on UCR (they answer sooner: the peak of 127 comes 44
steps from its begin, not 206), -.010 to .000 on NAB, .008 to .027 on SMAP/MSL, whose judging halves
have .000 to .077, -.041 to -.013 and .003 to .014; more views than today's, with tails .077, .003,
-.020, with recent weights .038, .006, -.001; the normal memory alone, with powers -.077, .000, .014
(-.08 on one half of SMAP/MSL, .11 on the other). Where later windows count it loses on all three.
All views with powers find a 24th series of UCR there (227), and lose .07 of SMAP/MSL.
"""

import argparse
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.anomaly import COLLECTIONS, Labelled, all_series, judged
from selftime.tasks.anomaly.detect import DEFAULT_MEMBERS as TODAY
from selftime.tasks.anomaly.detect import combine_scores, fuse_scores, record_of
from selftime.tasks.anomaly.record import FLAT_SHARE, ChannelRecord
from selftime.tasks.anomaly.scores import SCORES
from selftime.tasks.anomaly.scores.convolutions import window_statistics
from selftime.tasks.anomaly.scores.distances import principal, statistics_of

AGE = 500
"""Steps after which what came is remembered, as by thresholds."""
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
TABLE = re.findall(r"^ {4}(\S.*?) +\.\d", __doc__, re.MULTILINE)


def parts_of(variant: str) -> tuple[tuple[str, ...], list[str], str]:
    """Views with their lengths in windows, memories, and how scores are fused."""
    group, memories, fusion = variant.split(", ")
    words = group.removeprefix("recent ").split()
    views = tuple(f"{view} {length}" for view in VIEWS for length in words[1:])
    if words[0] == "members":
        views = (*MEMBERS, *(f"{view} 1" for view in words[1:]))
    if group.startswith("recent "):
        views = tuple(f"recent {v}" if v.split()[0] in ALIGNED else v for v in views)
    return views, ["normal", "aged"] if memories == "both" else [memories], fusion


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


def measured(series: Labelled, past: bool, cache: Path) -> dict[str, float]:
    """Figures of one series."""
    found = all_distances(series, past, cache)
    record = record_of(series.values, series.train, past, ())
    scores = {"now": found["now"]}
    scores |= {name: fused(name, record, found) for name in TABLE[1:]}
    return {name: judged(series, x) for name, x in scores.items()}


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
        for name, part in itertools.product(TABLE, PARTS):
            print(f"{name:36s} {part:4s} {line_of(name, table, PARTS[part])}", flush=True)


if __name__ == "__main__":
    main()
