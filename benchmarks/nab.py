"""The NAB score of every method on the NAB files, those without anomalies too.

A file is learned from for its probation alone. NAB judges detectors that run online: only rows
named "past" are a NAB result; the others are there to be compared with them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.nab_score import PROFILES, nab_score, probation_of
from selftime.tasks.anomaly.detect import DEFAULT_MEMBERS, combine_scores, record_of, robust_z
from selftime.tasks.anomaly.record import ChannelRecord
from selftime.tasks.anomaly.scores import Score

FUSED = "selftime"


def nab_rows(
    values: Sequence[np.ndarray], labels: Sequence[np.ndarray], methods: Mapping[str, Score]
) -> dict[str, dict[str, float]]:
    """Score of each row by each profile."""
    rows: dict[str, dict[str, float]] = {}
    for past_only, suffix in ((False, ""), (True, ", past")):
        files = [detections(x, past_only, methods) for x in values]
        for name in files[0]:
            scores = [found[name] for found in files]
            rows[name + suffix] = {p: nab_score(labels, scores, PROFILES[p]) for p in PROFILES}
    return rows


def detections(
    x: np.ndarray, past_only: bool, methods: Mapping[str, Score]
) -> dict[str, np.ndarray]:
    """What each method says of a file, in one unit for all files, told once."""
    record = record_of(x, probation_of(len(x)), past_only, ())
    known = np.arange(len(x)) < len(record.known)
    found = {name: score(record) for name, score in methods.items()}
    out = {name: robust_z(scores[None], known)[0] for name, scores in found.items()}
    out[FUSED] = combine_scores(record, [found[name] for name in DEFAULT_MEMBERS])
    return {name: rises(scores, record) for name, scores in out.items()}


def rises(scores: np.ndarray, record: ChannelRecord) -> np.ndarray:
    """By how much a score exceeds the highest one of the window before it.

    NAB counts each step in alarm: a detector that stays in alarm while an anomaly lasts and a
    while behind it pays for every step. So, for every row alike, what is new is told, once.
    """
    padded = np.concatenate([np.repeat(scores[:1], record.width), scores])
    before = np.lib.stride_tricks.sliding_window_view(padded, record.width)[: len(scores)]
    return np.asarray(scores - before.max(axis=1))


def nab_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """The rows as text, the profiles side by side."""
    lines = [f"{'NAB score':34s}" + "".join(f"{name:>16s}" for name in PROFILES)]
    for name, cells in rows.items():
        lines.append(f"{name:34s}" + "".join(f"{cells[p]:16.1f}" for p in PROFILES))
    return "\n".join([*lines, 'Rows without "past" look ahead, which NAB does not allow.'])
