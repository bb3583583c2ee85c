"""`python -m benchmarks.search`: neighbours by index beside DTW, and what a million vectors cost.

Three parts, each asked for by name; the results of the others stay.

``million``: a million vectors of 256 numbers. Each is drawn from embeddings of the open sets: a
series, moved a random share of the way towards one of its ten nearest series of the same set, plus
noise of a fifth of the distance between the two. Vectors of a set are its 256 principal
directions, turned at random, as models of other data have nothing in common; length 1. Queries are
drawn in the same way and are not among them. Recall is the share of the ten exact neighbours that
the graph returns, by how many candidates it keeps; a quarter of the vectors
comes first.

``windows``: milliseconds of an exact search among 100,000 vectors of 256 and of 1,024 numbers, one
query at a time on one core, mapped from a file of 16-bit floats; ``processor_ms`` leaves out what
other programs on the machine took.

``neighbours``: share of the ten nearest training series that have the class of a test series, by
cosine of the vectors of the default model, which learned from the unlabelled training series, and
by dynamic time warping (aeon, window of a tenth of the length as usual for UCR), with seconds: of
the search alone, of learning, and of embedding the test series. Needs the extra `baselines`.
Nothing was chosen on these sets: the cosine was, on the training parts of the other half.
"""

import argparse
import json
import os
import tempfile
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.__main__ import RESULTS, write
from benchmarks.learned_vectors import vectors_of
from benchmarks.open_data import load
from selftime.data.principal import principal_coordinates
from selftime.engine.pretrain import pretrain
from selftime.tasks.probing.reference_bank import unit_vectors
from selftime.tasks.search.nearest import BREADTH, Graph, nearest

SETS = ("ArrowHead", "CBF", "ItalyPowerDemand", "SyntheticControl", "Trace")
SOURCES = (
    *SETS,
    *("DodgerLoopDay", "ECGFiveDays", "FaceAll", "MoteStrain", "OSULeaf"),
    *("PhalangesOutlinesCorrect", "Strawberry"),
)
K, NOISE, QUERIES, TIMED = 10, 0.2, 200, 10


def clusters_of_vectors(n: int, dim: int, cache: Path | None, seed: int) -> np.ndarray:
    """(n, dim) vectors of length 1 drawn around embeddings of the open sets, as 16-bit floats."""
    rng, parts, near = np.random.default_rng(seed), [], []
    for name in SOURCES:
        found = vectors_of(name, cache)
        own = unit_vectors(np.concatenate([found.train, found.test]))
        cosines = own @ own.T
        np.fill_diagonal(cosines, -1)
        near.append(np.argpartition(-cosines, K, axis=1)[:, :K] + sum(map(len, parts)))
        own = principal_coordinates(own.astype(np.float64) - own.mean(axis=0))[:, :dim]
        turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
        parts.append(unit_vectors(np.pad(own, ((0, 0), (0, dim - own.shape[1])))) @ turn)
    x, neighbours = np.concatenate(parts), np.concatenate(near)
    out = np.empty((n, dim), np.float16)
    for i in range(0, n, 50_000):
        rows = rng.integers(len(x), size=min(50_000, n - i))
        other = neighbours[rows, rng.integers(K, size=len(rows))]
        way = x[other] - x[rows]
        noise = rng.normal(size=way.shape) * NOISE * np.linalg.norm(way, axis=1, keepdims=True)
        moved = x[rows] + rng.random((len(rows), 1)) * way + noise / dim**0.5
        out[i : i + len(rows)] = unit_vectors(moved.astype(np.float32))
    return out


def seconds_of(queries: np.ndarray, answer: Any) -> tuple[float, list[np.ndarray]]:
    """Median seconds of one query, and the rows of all."""
    times, rows = [], []
    for query in queries:
        start = time.perf_counter()
        rows.append(answer(query[None]).rows[0])
        times.append(time.perf_counter() - start)
    return float(np.median(times)), rows


def million(args: argparse.Namespace) -> dict[str, Any]:
    made = clusters_of_vectors(args.vectors + QUERIES, 256, args.cache, 0)
    vectors, queries = made[:-QUERIES], made[-QUERIES:].astype(np.float32)
    print(f"{len(vectors):,} vectors are made", flush=True)
    start, graph = time.perf_counter(), Graph.of(vectors[:1000])
    found: dict[str, Any] = {"dim": 256, "queries": QUERIES}
    done, spent = 1000, time.perf_counter() - start
    for mark in (len(vectors) // 4, len(vectors)):
        start = time.perf_counter()
        while done < mark:
            last = min(done + 25_000, mark)
            graph.add(vectors[done:last], done)
            done = last
        spent += time.perf_counter() - start
        found[f"{mark:,}"] = beside(graph, vectors[:mark], queries, spent)
        print(json.dumps(found), flush=True)
    return found


def beside(
    graph: Graph, vectors: np.ndarray, queries: np.ndarray, seconds: float
) -> dict[str, Any]:
    """The graph beside an exact search: recall, and milliseconds of one query at a time."""
    wanted = nearest(vectors, queries, K).rows
    exact, _ = seconds_of(queries[:TIMED], lambda q: nearest(vectors, q, K))
    out: dict[str, Any] = {"vectors": len(vectors), "seconds_to_link": seconds}
    out["exact_ms"] = 1000 * exact
    for breadth in (BREADTH // 2, BREADTH, 2 * BREADTH, 4 * BREADTH):
        nearly, got = seconds_of(queries, lambda q, e=breadth: graph.nearest(q, K, breadth=e))
        shares = [len(np.intersect1d(a, b)) / K for a, b in zip(wanted, got, strict=True)]
        out[f"breadth {breadth}"] = {
            "ms": 1000 * nearly,
            "times_as_fast": exact / nearly,
            "recall": float(np.mean(shares)),
            "standard_error": float(np.std(shares, ddof=1) / QUERIES**0.5),
        }
    return out


def windows(args: argparse.Namespace) -> dict[str, Any]:
    out: dict[str, Any] = {"vectors": 100_000}
    for dim in (256, 1024):
        rng = np.random.default_rng(dim)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "vectors.npy")
            made = rng.normal(size=(100_000, dim)).astype(np.float32)
            np.save(path, unit_vectors(made).astype(np.float16))
            mapped = np.load(path, mmap_mode="c")
            queries = unit_vectors(rng.normal(size=(20, dim)).astype(np.float32))
            ask = partial(nearest, mapped, m=K)
            seconds_of(queries[:2], ask)
            processor = time.process_time()
            wall, _ = seconds_of(queries, ask)
            processor = time.process_time() - processor
        out[str(dim)] = {"ms": 1000 * wall, "processor_ms": 1000 * processor / len(queries)}
    return out


def neighbours(args: argparse.Namespace) -> dict[str, Any]:
    warp = import_module("aeon.distances").dtw_pairwise_distance
    out: dict[str, Any] = {}
    for name in args.sets:
        x, (train, test) = vectors_of(name, args.cache), load(name)
        known = unit_vectors(x.train).astype(np.float16)
        start = time.perf_counter()
        ours = nearest(known, unit_vectors(x.test), K).rows
        seconds = time.perf_counter() - start
        pair = [part.values.astype(np.float64) for part in (test, train)]
        warp(pair[0][:1], pair[1][:1], window=0.1)
        start = time.perf_counter()
        apart = warp(*pair, window=0.1)
        theirs = np.argsort(apart, axis=1, kind="stable")[:, :K]
        warped = time.perf_counter() - start
        agree = [(x.labels[rows] == x.truth[:, None]).mean(axis=1) for rows in (ours, theirs)]
        gain = agree[0] - agree[1]
        start = time.perf_counter()
        model = pretrain(train)
        learned = time.perf_counter() - start
        model.embed(test, progress=False)
        out[name] = {
            "learn_seconds": learned,
            "embed_seconds": time.perf_counter() - start - learned,
            "queries": len(test),
            "index": float(agree[0].mean()),
            "dtw": float(agree[1].mean()),
            "gain": float(gain.mean()),
            "standard_error": float(gain.std(ddof=1) / len(gain) ** 0.5),
            "seconds": seconds,
            "dtw_seconds": warped,
        }
        print(name, json.dumps(out[name]), flush=True)
    return out


PARTS = {"million": million, "windows": windows, "neighbours": neighbours}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--parts", nargs="+", default=[*PARTS], choices=[*PARTS])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings between calls")
    parser.add_argument("--out", type=Path, default=RESULTS / "search.json")
    args = parser.parse_args()
    args.sets = list(args.sets)
    for name in args.parts:
        kept = json.loads(args.out.read_text()) if args.out.is_file() else {}
        load_now = os.getloadavg()[0]
        found = PARTS[name](args) | {"load": [load_now, os.getloadavg()[0]]}
        print(name, json.dumps(found), flush=True)
        kept.pop("environment", None)
        write(args.out, {k: v for k, v in (kept | {name: found}).items() if k in PARTS})


if __name__ == "__main__":
    main()
