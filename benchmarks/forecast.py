"""Forecasts of the open sets, every test window counted: `python -m benchmarks.forecast`.

For each set and horizon: the default forecaster with weights from the training part alone, the same
without features, with features whose latents are random, the default as it is used (weights from
training and validation part), the reference rows (from the training part), seconds, and how often
the intervals of the default hold. Results are kept by set and horizon; what is there, intervals
included, is not measured again. With `--thousand` instead: seconds to fit and forecast a thousand
series of a thousand steps.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.__main__ import RESULTS
from benchmarks.open_data import root
from selftime.data.readers import read
from selftime.estimators.forecaster import Forecaster
from selftime.report.pictures.forecasts import coverage_picture
from selftime.report.pictures.palette import save_picture
from selftime.tasks.forecasting.backtest import (
    Errors,
    Fit,
    backtest_calibration,
    errors_of,
    reference_errors,
)
from selftime.tasks.forecasting.calibration import INTERVALS, Calibration
from selftime.tasks.forecasting.features import fit_correction
from selftime.tasks.forecasting.forecasters import (
    WindowForecaster,
    learned_features,
    refit_forecaster,
)
from selftime.tasks.forecasting.linear import fit_linear
from selftime.tasks.forecasting.protocols import Setting, setting_of

SETS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "ETTh1": ("ETTh1.csv.gz", "ett-hourly", (24, 48, 96, 168, 192, 336, 720)),
    "ETTm1": ("ETTm1.csv.gz", "ett-15min", (96, 192, 336, 720)),
    "ILI": ("national_illness.csv", "70-10-20", (24, 36, 48, 60)),
    "Exchange": ("exchange_rate.csv", "70-10-20", (96, 192, 336, 720)),
}
"""File, protocol and horizons of each set, as in the literature."""
MEANS = {
    "ETTh1": ((96, 192, 336, 720), (24, 48, 168, 336, 720)),
    "ETTm1": ((96, 192, 336, 720),),
}
"""Horizons whose mean is printed too; all where a set is not named."""
SEED = 0


def setting_named(name: str) -> Setting:
    """An open set, cut and scaled."""
    file, protocol, _ = SETS[name]
    return setting_of(read(root() / "forecasting" / file), protocol)


def measured(setting: Setting, horizon: int) -> dict[str, Any]:
    """Errors of every row of a set at a horizon, seconds, intervals and what was chosen."""
    start = time.perf_counter()
    folds = setting.folds(horizon)
    linear = fit_linear(folds, setting.season)
    rows = {"linear": errors_of(WindowForecaster(linear).single(), setting, horizon)}
    plain = time.perf_counter() - start
    fitted, rows["features"] = with_features(setting, horizon, linear, learned=True)
    seconds = time.perf_counter() - start
    rows["untrained features"] = with_features(setting, horizon, linear, learned=False)[1]
    later = replace(folds, fit_end=(setting.borders.validation,))
    anew = refit_forecaster(fitted, later, setting.season)
    rows["refitted on training and validation"] = errors_of(anew.single(), setting, horizon)
    rows.update(reference_errors(setting, horizon, refit=False))
    return {
        "rows": {name: found._asdict() for name, found in rows.items()},
        "seconds": {"linear": round(plain, 1), "features": round(seconds, 1)},
        "intervals": intervals(Fit(fitted, setting), Fit(anew, setting), setting),
        "chosen": chosen(fitted),
    }


def with_features(
    setting: Setting, horizon: int, linear: Any, *, learned: bool
) -> tuple[WindowForecaster, Errors]:
    """The linear forecaster with what features add to it."""
    folds, rng = setting.folds(horizon), np.random.default_rng(SEED)
    features = learned_features(folds, setting.season, rng, learned=learned)
    fitted = WindowForecaster(linear, (fit_correction(folds, linear.map, features.of),))
    return fitted, errors_of(fitted.single(), setting, horizon)


def intervals(early: Fit, last: Fit, setting: Setting) -> dict[str, float]:
    found = backtest_calibration(early, last, setting)
    return {
        **found.shares(),
        "standard errors": found.standard_errors(),
        "weighted quantile loss": round(found.quantile_loss, 4),
        "MASE": round(found.mase, 4),
    }


def chosen(fitted: WindowForecaster) -> dict[str, Any]:
    """Options, pooling, and held-out gains of features by band."""
    correction = fitted.corrections[0]
    return {
        "options": [
            [
                o.look_back,
                o.decay,
                "last value" if fitted.linear.is_persistence else o.alpha,
                round(o.score, 4),
            ]
            for o in fitted.linear.options
        ],
        "pools": [[p.share, p.shift, round(p.score, 4)] for p in fitted.linear.pools],
        "held-out gains in percent": [round(gain, 2) for gain in correction.gains],
        "corrected steps": int(correction.weights.any(axis=0).sum()),
    }


def thousand() -> dict[str, Any]:
    """Seconds of the default forecaster on a thousand stretches of ETTm1, a thousand steps each."""
    series = read(root() / "forecasting" / SETS["ETTm1"][0]).series(0)  # (C,T)
    starts = np.linspace(0, series.shape[1] - 1000, 143).astype(int)
    x = np.concatenate([series[:, None, start : start + 1000] for start in starts])[:1000]
    wall, cpu = time.perf_counter(), time.process_time()
    forecaster = Forecaster(horizon=24).fit(x)
    shape = forecaster.predict().shape
    return {
        "series": len(x),
        "steps": x.shape[2],
        "forecasts": list(shape),
        "season": forecaster.cases_.season,
        "features": forecaster.reason_,
        "seconds": round(time.perf_counter() - wall, 1),
        "CPU seconds": round(time.process_time() - cpu, 1),
        "threads": torch.get_num_threads(),
    }


def table(found: dict[str, dict[str, Any]]) -> list[str]:
    """The results as lines of a Markdown table, MSE of every row."""
    names = list(next(iter(next(iter(found.values())).values()))["rows"])
    lines = ["| set | horizon | " + " | ".join(names) + " | seconds | in 80 % | in 95 % |"]
    lines.append("|---" * (len(names) + 5) + "|")
    for name, by_horizon in found.items():
        horizons = [int(H) for H in by_horizon]
        for H in sorted(horizons):
            one = by_horizon[str(H)]
            cells = [f"{one['rows'][row]['mse']:.4f}" for row in names]
            held = [percent(one["intervals"].get(share)) for share in ("0.8", "0.95")]
            line = [name, str(H), *cells, f"{one['seconds']['features']:.0f}", *held]
            lines.append("| " + " | ".join(line) + " |")
        for group in MEANS.get(name, (tuple(sorted(horizons)),)):
            if set(group) <= set(horizons):
                means = [
                    f"{np.mean([by_horizon[str(H)]['rows'][row]['mse'] for H in group]):.4f}"
                    for row in names
                ]
                label = "mean of " + "/".join(map(str, group))
                lines.append("| " + " | ".join([name, label, *means, "", "", ""]) + " |")
    return lines


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def plotted(found: dict[str, dict[str, Any]], folder: Path) -> None:
    """A calibration plot of each set, all horizons in one."""
    for name, by_horizon in found.items():
        curves = {}
        for H in sorted(map(int, by_horizon)):
            held = by_horizon[str(H)]["intervals"]
            if not held:
                continue
            shares = {share: held[f"{share:g}"] for share in INTERVALS}
            curves[H] = Calibration(shares, held["weighted quantile loss"], held["MASE"])
        if curves:
            picture = coverage_picture(curves, title=f"{name}: what intervals held")
            save_picture(picture, folder / f"coverage-{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--horizons", nargs="+", type=int, help="only these")
    parser.add_argument("--out", type=Path, default=RESULTS / "forecast.json")
    parser.add_argument("--thousand", action="store_true", help="time a thousand series instead")
    parser.add_argument("--plots", type=Path, help="folder for calibration plots of the results")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    args = parser.parse_args()
    if args.thousand:
        found = thousand()
        (args.out.parent / "forecast_thousand.json").write_text(json.dumps(found, indent=1) + "\n")
        print(found)
        return
    kept = json.loads(args.out.read_text()) if args.out.exists() and not args.again else {}
    for name in args.sets:
        setting = setting_named(name)
        for H in SETS[name][2]:
            done = kept.setdefault(name, {})
            if done.get(str(H), {}).get("intervals") or (args.horizons and H not in args.horizons):
                continue
            done[str(H)] = measured(setting, H)
            args.out.write_text(json.dumps(kept, indent=1) + "\n")
            print(*table({name: {str(H): done[str(H)]}})[2:], sep="\n", flush=True)
    print(*table({name: rows for name, rows in kept.items() if rows}), sep="\n")
    if args.plots:
        plotted(kept, args.plots)


if __name__ == "__main__":
    main()
