"""`python -m benchmarks.trials.unlabelled_pools`: what a pool of 1,000 teaches, many ways.

Features of a set are made once and kept in `--cache`; each way is then a matter of seconds. Points
over the same encoder untrained, mean and standard error over the seven sets of
`benchmarks.unlabelled.CHOOSE`, 6 to 8 draws, seed 0, at 1 / 2 / 5 / 20 labels per class:

    copies alone, as chosen                     +0.7 ± .9   +0.6 ± 1.1  -0.2 ± .9   +0.1 ± .2
    copies alone, strength 1.0 / 0.25           +0.2, +0.8  +0.4, +0.6  +0.2, -0.2  +0.1, 0.0
    mean of three strengths                     +0.6 ± 1.5  +0.2 ± 1.5  +0.0 ± 1.2  +0.2 ± .2
    256 / 64 directions                         +0.8, +1.3  +0.2, 0.0   -0.3, -1.3  -0.2, -1.4
    views: spans masked (20 %)                  +2.8 ± 1.1  +2.0 ± 1.2  +0.7 ± .3   0.0 ± .4
    shifts of 16 %                              +2.0 ± .8   +1.7 ± .8   +0.8 ± .4   +0.5 ± .3
    halves / crops of 70 %, resized             -0.5, +0.2  -0.1, -0.4  -0.1, +0.4  +0.1, +0.4
    frequencies masked / smoothed               -4.2, -2.5  -3.4, -2.8  -2.7, -2.0  -1.4, -1.4
    diffusion map of the graph beside (best)    +3.4 ± 1.5  -2.8 ± 2.1  -2.0 ± 1.8  -2.4 ± 1.1
    near series, weight 3, λ .1, three rounds   +2.5 ± 1.5  +3.2 ± 1.8  +2.2 ± 1.3  +0.4 ± .4
    the same, one round                         +2.6 ± 1.7  +3.5 ± 1.9  +2.0 ± 1.3  +0.6 ± .5
    near to one of both, not to each other      +2.1 ± 1.0  +2.4 ± 1.5  +1.1 ± 1.1  +0.3 ± .5
    3 / 10 nearest for 5                        +2.6, +2.0  +3.3, +2.9  +1.8, +1.2  +0.6, +0.3
    weight 10, one round                        +3.5 ± 1.6  +3.5 ± 2.0  +2.1 ± 1.4  +0.5 ± .6
    no copies, near as the encoder untrained    +5.5 ± 2.0  +4.3 ± 1.6  +1.2 ± 1.2  0.0 ± .7
    weight 10, spans masked and shifts too      +4.4 ± 1.4  +4.5 ± 1.4  +2.3 ± 1.2  +0.7 ± .5
    halves as copies, weight 10                 +4.7 ± 2.4  +3.8 ± 1.9  +0.8 ± 1.2  -0.1 ± .8
    weight 10, quantiles whitened too           +5.5 ± 2.3  +3.7 ± 2.1  +2.3 ± 1.5  +0.7 ± .6
    the same, each of length 1                  +6.0 ± 1.9  +4.8 ± 2.1  +2.3 ± 1.7  +0.6 ± .5

Clusters (k-means, ten series each) in the place of near series gave on six of the sets +0.7, +1.6,
+1.3 and +0.4 at weight 1, near series +2.2, +2.9, +1.7 and +0.8. Near series among 25 / 50 / 100 /
200 / 400 / 1,000 / 2,000 / 4,000 (weight 10, six sets): -1.9, +0.1, +1.5, +3.8, +4.0, +4.4, +4.0,
+4.8 at one label, -2.2, -1.5, -0.9, -1.2, +0.8, +2.2, +2.3, +2.3 at five: hence no weight up to 200
series. On official splits weight 10 lost at all labels (-0.4 ± .1 on five sets, Strawberry -1.6), a
third of it did not (-0.1 ± .1) and kept four fifths of the gain: hence weight 3.

This script has the ways from which the rule was made; the others differ by a line each.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.dual_probe import hits_of
from benchmarks.unlabelled import CHOOSE, SHOTS, picks_of, split_of, whole_set
from selftime.data import scaling
from selftime.data.windows import batch_of, batches
from selftime.engine.choices import resolve
from selftime.engine.pretrain import BANK_SIZE
from selftime.engine.solve import generator, sample_for, sample_of
from selftime.objectives.spectral import (
    Spectral,
    covariance_of_all,
    covariance_within,
    eigh,
    near_covariance,
    near_pairs,
    of_trace_one,
    whitener,
)
from selftime.views.mild import Mild

POOL, WIDTH, SHARE = 1000, 768, 0.3
STRENGTHS = (0.25, 0.5, 1.0)


class Made(NamedTuple):
    """Features of one set, made once.

    Attributes:
        p: (N,d) of all that is asked for, in the basis of the pool.
        beside: (N,k) quantiles, or their axes.
        untrained: (N,F) vectors of the encoder untrained, in 16 bits.
        pool: rows that are unlabelled.
        strength: the one that was chosen.
        within: by strength (3,d,d).
        total: (d,d) over all copies.
    """

    p: Tensor
    beside: Tensor
    untrained: Tensor
    pool: Tensor
    strength: Tensor
    within: Tensor
    total: Tensor


@torch.no_grad()
def made(name: str, folder: Path) -> tuple[Made, np.ndarray]:
    """Features of a set and the numbers of its rows, read or made and kept."""
    whole = whole_set(name)
    split = split_of(whole, 0)
    rows = np.sort(split.others[:POOL])
    drawn = [pick for k in SHOTS for pick in picks_of(whole.labels, split.others, k)]
    need = np.unique(np.concatenate([rows, split.judged, *drawn]))
    kept = folder / f"{name}.pt"
    if kept.exists():
        return Made(*torch.load(kept, weights_only=True)), need
    scale = scaling.fit(whole.series[rows])
    series = scale.measure(whole.series[rows])
    learner, _, choices = resolve(series, scale, "spectral", "auto", None, None, 0)
    assert isinstance(learner, Spectral) and learner.beside is not None
    learner.prepare(scale.apply(batch_of(series, sample_for(series, 0))), generator(0, 0))
    covariances = []
    for strength in STRENGTHS:
        learner.view, sums = Mild(strength=strength), None
        for part, batch in enumerate(batches(series, size=64), start=1):
            new = learner.accumulate(scale.apply(batch), generator(0, part))
            sums = sums + new if sums else new
        covariances.append(covariance_within(sums))
    p, beside, untrained = [], [], []
    for batch in batches(scale.measure(whole.series[need]), size=64):
        x = scale.apply(batch)
        phi, q = learner.encoder.embed(x), learner.beside.embed(x)
        p.append((phi - learner.centre) @ learner.basis)
        beside.append(q if learner.axes is None else q @ learner.axes)
        untrained.append(torch.cat([F.normalize(phi, dim=1), SHARE**0.5 * q], dim=1).half())
    found = Made(
        *map(torch.cat, (p, beside, untrained)),
        torch.from_numpy(np.searchsorted(need, rows)),
        torch.tensor(choices["strength"].value),
        torch.stack(covariances),
        covariance_of_all(sums),
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tuple(found), kept)
    return found, need


def solved(x: Made, within: Tensor, penalty: float = 0.1) -> Tensor:
    """Vectors (N,≤768) whitened against a covariance, in the directions of most variance."""
    white = whitener(within, penalty)
    if white.shape[1] > WIDTH:
        white = white @ eigh(white.T @ x.total @ white)[1].flip(1)[:, :WIDTH]
    return F.normalize(x.p @ white.float(), dim=1)


def beside(x: Made, vectors: Tensor, other: Tensor | None = None) -> Tensor:
    """Vectors with what stands beside them."""
    return torch.cat([vectors, SHARE**0.5 * (x.beside if other is None else other)], dim=1)


def copies(x: Made, strength: float | None = None) -> Tensor:
    """The covariance within copies, of trace 1."""
    at = STRENGTHS.index(strength or round(float(x.strength), 2))
    return of_trace_one(x.within[at])


def near(x: Made, weight: float, *, white: bool = False, rounds: int = 1) -> Tensor:
    """Near series as positives, and quantiles whitened by them too."""
    found = beside(x, solved(x, copies(x)))
    for _ in range(rounds):
        pairs = near_pairs(found[x.pool])
        apart = of_trace_one(near_covariance(x.p[x.pool], pairs))
        other = None
        if white:
            alike = of_trace_one(torch.eye(x.beside.shape[1], dtype=torch.float64))
            mixed = alike + weight * of_trace_one(near_covariance(x.beside[x.pool], pairs))
            other = x.beside @ whitener(mixed, 0.1).float()
            other = other / other[x.pool].square().sum(dim=1).mean().sqrt()
        found = beside(x, solved(x, copies(x) + weight * apart), other)
    return found


WAYS: dict[str, Callable[[Made], Tensor]] = {
    "copies alone": lambda x: beside(x, solved(x, copies(x))),
    "mean of three strengths": lambda x: beside(x, solved(x, sum(copies(x, s) for s in STRENGTHS))),
    "near series, weight 3": lambda x: near(x, 3.0),
    "near series, weight 3, three rounds": lambda x: near(x, 3.0, rounds=3),
    "near series, weight 10": lambda x: near(x, 10.0),
    "weight 3, quantiles too": lambda x: near(x, 3.0, white=True),
    "weight 10, quantiles too": lambda x: near(x, 10.0, white=True),
}


def accuracy(name: str, vectors: Tensor, x: Made, need: np.ndarray, draws: int) -> np.ndarray:
    """Accuracy in percent at each number of labels."""
    whole = whole_set(name)
    split, v = split_of(whole, 0), vectors.float().numpy()
    bank = v[x.pool.numpy()[sample_of(len(x.pool), 0, BANK_SIZE)]].astype(np.float16)
    judged, found = np.searchsorted(need, split.judged), []
    for shots in SHOTS:
        drawn = picks_of(whole.labels, split.others, shots)[:draws]
        picks = [np.searchsorted(need, pick) for pick in drawn]
        hits = hits_of(v, whole.labels[need], bank.astype(np.float32), judged, picks)
        found.append(100 * hits.mean())
    return np.array(found)


def main() -> None:
    """Measure every way on every set; print points over the encoder untrained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(CHOOSE))
    parser.add_argument("--draws", type=int, default=6)
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps features")
    args = parser.parse_args()
    gains: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
    for name in args.sets:
        x, need = made(name, args.cache)
        base = accuracy(name, x.untrained, x, need, args.draws)
        for way, make in WAYS.items():
            gains[way].append(accuracy(name, make(x), x, need, args.draws) - base)
            print(f"{name:26s}{way:38s}{gains[way][-1].round(1)}", flush=True)
    for way, found in gains.items():
        points = np.array(found)
        error = (
            points.std(axis=0, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0 * points[0]
        )
        told = (f"{m:+.1f} ± {e:.1f}" for m, e in zip(points.mean(axis=0), error, strict=True))
        print(f"{way:40s}", *told)


if __name__ == "__main__":
    main()
