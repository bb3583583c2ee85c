"""`python -m benchmarks.trials.forecast_weights`: how look-backs are averaged, by folds alone.

Options (look-back and decay, each at its best ridge) of the linear forecaster, one map for all
channels. Each fold of training and validation part is judged in turn by weights from the others:
the best option alone; all within so many percent of it, alike (the default: 10 %); weights that
fall with the error; and weights above 0 that sum to 1 and make the error of the mean least, drawn
towards equal ones (stacking; Breiman 1996), from the products of errors on held-out folds. Test
parts are not looked at. Percent of error beside the default, mean over horizons, then over sets
with its standard error; 24 future steps of each horizon count.

Seven sets: best alone +1.9 ± 1.2, within 5 % +0.3 ± 0.5, within 20 % -0.2 ± 0.4, all alike +5.0 ±
3.6 (NYCTaxi loses 25, ILI 7 to 17), falling by 5 % +0.2 ± 0.3, by 10 % -0.1 ± 0.2, stacked with a
pull of 0 / 0.1 / 0.3 / 1 / 3: +1.0 ± 0.6 / +0.3 ± 0.2 / +0.1 ± 0.3 / +0.4 ± 0.6 / +1.7 ± 1.3. None
is better than the 10 % rule beyond its standard error, which therefore stays.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from benchmarks.open_data import root
from selftime.data.readers import read
from selftime.data.samples import sample
from selftime.data.series import SeriesError, SeriesSet
from selftime.tasks.forecasting.folds import BlockedFolds, look_backs_up_to
from selftime.tasks.forecasting.linear import (
    DECAYS,
    PER_STEP_ALPHAS,
    _best_alpha,
    lag_ridge,
    moments_of,
)
from selftime.tasks.forecasting.protocols import Setting, setting_of

STEPS = 24
SETS = {
    "ILI": ("national_illness.csv", "70-10-20", (24, 36, 48, 60)),
    "ETTh1": ("ETTh1.csv.gz", "ett-hourly", (24, 96)),
    "Exchange": ("exchange_rate.csv", "70-10-20", (96,)),
}
NAB = ("ambient", "cpu_util", "machine", "Twitter_volume_A", "ec2_disk", "TravelTime_387", "rds")
LOUD = 1e3
Errors = np.ndarray
"""(K,n,n): mean product of the errors of two options on each held-out fold."""


def settings() -> Iterator[tuple[str, Setting, tuple[int, ...]]]:
    for name, (file, protocol, horizons) in SETS.items():
        yield name, setting_of(read(root() / "forecasting" / file), protocol), horizons
    yield "NYCTaxi", setting_of(sample("NYCTaxi"), "70-10-20"), (48,)
    for file in sorted((root() / "anomaly" / "nab").rglob("*.csv")):
        if file.name.startswith(NAB):
            values = pd.read_csv(file)["value"].to_numpy(float)
            yield file.stem, setting_of(SeriesSet.of(values[None, None]), "70-10-20"), (24,)


def products(folds: BlockedFolds, season: int) -> Errors:
    splits, H, longest = folds.splits(), folds.horizon, folds.look_back
    steps = np.unique(np.linspace(0, H - 1, min(H, STEPS)).astype(int))
    maps: list[list[np.ndarray]] = [[] for _ in splits]
    for L in look_backs_up_to(longest):
        pairs = [moments_of(split, L, H) for split in splits]
        for decay in DECAYS:
            paths = [lag_ridge(fit, L, decay=decay, season=season) for fit, _ in pairs]
            found = [
                p.errors(held, PER_STEP_ALPHAS) for p, (_, held) in zip(paths, pairs, strict=True)
            ]
            alpha, _ = _best_alpha(np.array(found))
            for k, path in enumerate(paths):
                w = path.weights(alpha)[:, steps]
                w[-1] += 1 - w.sum(axis=0)
                error = np.zeros((longest + H, len(steps)))
                error[longest - L : longest] = w
                error[longest + steps, np.arange(len(steps))] -= 1
                maps[k].append(error)
    out = []
    for made, (_, held) in zip(maps, splits, strict=True):
        g = held.products / max(held.windows, 1)
        seen = [g @ one for one in made]
        out.append([[(a * b).sum() / len(steps) for b in seen] for a in made])
    return np.array(out)


def scores(E: Errors) -> np.ndarray:
    return np.asarray(np.log(np.maximum(np.einsum("knn->kn", E), 1e-30)).mean(axis=0))


def near(E: Errors, tolerance: float) -> np.ndarray:
    kept = scores(E) <= scores(E).min() + tolerance
    return kept / kept.sum()


def soft(E: Errors, width: float) -> np.ndarray:
    weights = np.exp(-(scores(E) - scores(E).min()) / width)
    return np.asarray(weights / weights.sum())


def stack(E: Errors, pull: float) -> np.ndarray:
    n = E.shape[1]
    S = np.mean([e * n / np.trace(e) for e in E], axis=0) + pull * np.eye(n)
    C = np.linalg.cholesky((S + S.T) / 2 + LOUD + 1e-9 * np.eye(n))
    weights, _ = nnls(C.T, np.linalg.solve(C, np.full(n, pull / n + LOUD)), maxiter=1000 * n)
    return np.asarray(weights / weights.sum())


RULES: dict[str, Callable[[Errors], np.ndarray]] = {
    "best alone": lambda E: near(E, 0),
    "within 5 %": lambda E: near(E, 0.05),
    "within 10 %": lambda E: near(E, 0.1),
    "within 20 %": lambda E: near(E, 0.2),
    "all alike": lambda E: near(E, 99),
    "falling by 5 %": lambda E: soft(E, 0.05),
    "falling by 10 %": lambda E: soft(E, 0.1),
    **{f"stacked, pull {p:g}": (lambda E, p=p: stack(E, p)) for p in (0.0, 0.1, 0.3, 1.0, 3.0)},
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for name, setting, horizons in settings():
        for H in horizons:
            try:
                E = products(setting.folds(H), setting.season)
            except SeriesError as error:
                print(name, error)
                continue
            logs = {}
            for rule, weigh in RULES.items():
                w = [weigh(np.delete(E, k, 0)) for k in range(len(E))]
                logs[rule] = float(np.mean([np.log(v @ e @ v) for v, e in zip(w, E, strict=True)]))
            gains = {rule: 100 * (x - logs["within 10 %"]) for rule, x in logs.items()}
            found.setdefault(name, []).append(gains)
            print(name, H, {rule: round(x, 1) for rule, x in gains.items()}, flush=True)
    for rule in RULES:
        x = [np.mean([one[rule] for one in several]) for several in found.values()]
        print(f"{rule:20} {np.mean(x):+.2f} ± {np.std(x, ddof=1) / len(x) ** 0.5:.2f}")


if __name__ == "__main__":
    main()
