"""`python -m benchmarks.clusters_of_series`: clusters beside raw values, catch22 and DTW k-means.

Training and test part of a set are put together, without labels; of more than `--most` series so
many are drawn. The default model learned from the unlabelled training part. Every row gets as many
clusters as there are classes, and is judged by the adjusted Rand index (ARI) and the normalised
mutual information (NMI) with the classes: means over the seeds, which draw the starts of k-means.
``chosen`` is the number of clusters that `st.cluster` chooses itself, and its ARI.

Rows: ``selftime`` (k-means on vectors of length 1); ``raw values`` (k-means on series of mean 0 and
deviation 1, brought to one length); ``catch22`` (k-means on aeon's 22 features of each channel,
standardised over the set); ``DTW k-means`` (aeon, window of a tenth, mean of the members, one
start) where it ends within `--patience` seconds, seed 0 alone.

Cosine and the rule for the number of clusters were chosen on the 13 sets at even places of the
alphabet; the sets judged on here are the 12 others. Needs the extra `baselines`.
"""

import argparse
import json
import multiprocessing
import os
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from benchmarks.__main__ import RESULTS, write
from benchmarks.learned_vectors import vectors_of
from benchmarks.open_data import UCR, UEA, load
from selftime.tasks.clusters.groups import choose_number, group, try_numbers
from selftime.tasks.probing.reference_bank import unit_vectors

SETS = tuple(sorted((*UCR, *UEA))[1::2])
ROWS = ("selftime", "raw values", "catch22", "DTW k-means")


def same_length(values: np.ndarray) -> np.ndarray:
    """(N,C,T) series of mean 0 and deviation 1; the last value of shorter ones is held."""
    x = values.astype(np.float64)
    last = np.where(np.isnan(x), 0, np.arange(x.shape[2])).max(axis=2)
    hold = np.take_along_axis(x, last[..., None], axis=2)
    x = np.where(np.isnan(x), hold, x)
    return (x - x.mean(axis=2, keepdims=True)) / np.maximum(x.std(axis=2, keepdims=True), 1e-9)


def standardised(features: np.ndarray) -> np.ndarray:
    features = np.nan_to_num(features.astype(np.float64), posinf=0, neginf=0)
    return (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-9)


def warped(x: np.ndarray, k: int, seed: int, pipe: Any) -> None:
    """Clusters by aeon's DTW k-means, through a pipe."""
    kind = import_module("aeon.clustering").TimeSeriesKMeans
    how = {"distance": "dtw", "distance_params": {"window": 0.1}, "averaging_method": "mean"}
    pipe.send(
        kind(k, init="random", n_init=1, max_iter=50, random_state=seed, **how).fit_predict(x)
    )


def warped_in_time(x: np.ndarray, k: int, patience: float) -> np.ndarray | None:
    """The same, or None where it takes longer."""
    ours, theirs = multiprocessing.Pipe()
    work = multiprocessing.Process(target=warped, args=(x, k, 0, theirs))
    work.start()
    found = ours.recv() if ours.poll(patience) else None
    work.kill()
    work.join()
    return found


def judged(truth: np.ndarray, found: list[np.ndarray], seconds: float) -> dict[str, Any]:
    pairs = ("ari", adjusted_rand_score), ("nmi", normalized_mutual_info_score)
    out: dict[str, Any] = {}
    for name, score in pairs:
        each = [float(score(truth, clusters)) for clusters in found]
        out[name] = float(np.mean(each))
        out[f"{name} by seed"] = each
    return out | {"seconds": seconds / len(found)}


def kmeans(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    return KMeans(k, n_init=10, random_state=seed).fit_predict(x)


def measured(name: str, args: argparse.Namespace) -> dict[str, Any]:
    vectors, parts = vectors_of(name, args.cache), load(name)
    truth = np.concatenate([vectors.labels, vectors.truth])
    some = np.sort(np.random.default_rng(0).permutation(len(truth))[: args.most])
    truth = truth[some]
    units = unit_vectors(np.concatenate([vectors.train, vectors.test]))[some]
    length = max(part.shape[2] for part in parts)
    each = [part.values for part in parts]
    ends = [((0, 0), (0, 0), (0, length - part.shape[2])) for part in each]
    pad = [np.pad(x, end, constant_values=np.nan) for x, end in zip(each, ends, strict=True)]
    values = same_length(np.concatenate(pad)[some])
    k, seeds = len(np.unique(truth)), range(args.seeds)
    out: dict[str, Any] = {"series": len(truth), "classes": k}

    start = time.perf_counter()
    ours = [group(units, k, "kmeans", seed).clusters for seed in seeds]
    out["selftime"] = judged(truth, ours, time.perf_counter() - start)
    start = time.perf_counter()
    raw = [kmeans(values.reshape(len(values), -1), k, seed) for seed in seeds]
    out["raw values"] = judged(truth, raw, time.perf_counter() - start)
    start = time.perf_counter()
    catch = import_module("aeon.transformations.collection.feature_based").Catch22()
    features = standardised(catch.fit_transform(values))
    out["catch22"] = judged(
        truth, [kmeans(features, k, seed) for seed in seeds], time.perf_counter() - start
    )
    start = time.perf_counter()
    found = warped_in_time(values, k, args.patience)
    if found is not None:
        out["DTW k-means"] = judged(truth, [found], time.perf_counter() - start)
    best, why = choose_number(try_numbers(units, 0))
    own = group(units, best, "kmeans", 0).clusters
    ari = float(adjusted_rand_score(truth, own))
    out["chosen"] = {"k": best, "ari": ari, "why": why}
    return out


def summary(sets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over sets, and the gain over each row with its standard error."""
    out: dict[str, Any] = {}
    for row in ROWS:
        own = [found for found in sets.values() if row in found]
        for score in ("ari", "nmi") if own else ():
            gains = np.array([found["selftime"][score] - found[row][score] for found in own])
            out.setdefault(row, {"sets": len(own)})[score] = {
                "mean": float(np.mean([found[row][score] for found in own])),
                "gain": float(gains.mean()),
                "standard_error": float(gains.std(ddof=1) / len(own) ** 0.5) if own[1:] else None,
                "ahead": int((gains > 0).sum()),
                "behind": int((gains < 0).sum()),
            }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clusters_of_series", description=__doc__
    )
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most", type=int, default=500, help="series of a set")
    parser.add_argument("--patience", type=float, default=60, help="seconds for DTW k-means")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between calls")
    parser.add_argument("--out", type=Path, default=RESULTS / "clusters_of_series.json")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", module="aeon|numba")
    sets: dict[str, Any] = {}
    for name in args.sets:
        sets[name] = measured(name, args)
        cells = [f"{row} {sets[name][row]['ari']:.3f}" for row in ROWS if row in sets[name]]
        print(f"{name:26s}", "; ".join(cells), sets[name]["chosen"]["k"], flush=True)
        facts = {"seeds": args.seeds, "most": args.most, "patience": args.patience}
        write(
            args.out, facts | {"load": os.getloadavg()[0], "summary": summary(sets), "sets": sets}
        )
    print(json.dumps(summary(sets), indent=1))


if __name__ == "__main__":
    main()
