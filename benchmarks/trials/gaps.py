"""`python -m benchmarks.trials.gaps`: experts that fill gaps, one by one and blended.

Fitted on training parts; judged on validation parts of ETTh1, ETTm1 and NYCTaxi, and on a third of
the training part of NATOPS, hidden as in `benchmarks.impute` with seed 0. Test parts are not read.

Mean squared errors, mean over the three lengths of blocks, on one shared machine:

                                     ETTh1  ETTm1  NATOPS  NYCTaxi
    straight lines                    .830   .805   .673    1.038
    lines between seasons             .425   .412     –      .204
    chain, own past, 8 steps          .255   .281     –      .941
    chain, own past, a season         .142   .130   .157     .164
    chain, own past, two, or a week   .133   .124     –      .023
    chain, past of all, 4 steps       .231     –    .091       –
    whole series                        –      –    .172       –
    blend                             .131   .130   .092     .030

NATOPS has no season: its chain is of 16 steps. Where all channels are missing at once the blend is
ahead of each (ETTh1 .304, the best chain .342; NATOPS .312, the best expert .399).

Left out: chains of all channels that know levels, on one recording (levels drift apart: ETTh1
.0379 for .0290 at 12.5 % of single values, where they were believed); a season and 3 steps of all
channels in one chain (ETTh1 .130: no better than the blend); means of near windows by a kernel
(NATOPS .392); weights judged on the end of a recording alone, without mean seasons (ETTh1 .134,
NYCTaxi .033).
"""

import argparse

import numpy as np
import pyarrow.csv as pc

from benchmarks import impute
from benchmarks.open_data import load, root
from selftime.data.samples import sample
from selftime.data.series import SeriesSet
from selftime.tasks.imputation.blend import kinds_of
from selftime.tasks.imputation.fitting import ImputeConfig, fit_imputer
from selftime.tasks.imputation.holes import Holes

NAMES = ("ETTh1", "ETTm1", "NATOPS", "NYCTaxi")


def parts_of(name: str) -> tuple[impute.Series, impute.Series, impute.Part]:
    """Training and validation part, in units of the first; and what is hidden of the test part."""
    if name == "NATOPS":
        train, _ = load(name)
        every = [train.series(i).T for i in range(len(train))]
        order = np.random.default_rng(1).permutation(len(every))
        cut = 2 * len(every) // 3
        fit, held = ([every[i] for i in rows] for rows in (order[:cut], order[cut:]))
    elif name == "NYCTaxi":
        x = sample(name).values[0].T
        fit, held = [x[: len(x) * 7 // 10]], [x[len(x) * 7 // 10 : len(x) - len(x) * 2 // 10]]
    else:
        k = 4 if name == "ETTm1" else 1
        table = pc.read_csv(root() / "forecasting" / f"{name}.csv.gz").drop_columns(["date"])
        x = np.stack([column.to_numpy() for column in table.columns], axis=1)
        fit, held = [x[: 8640 * k]], [x[8640 * k : 11520 * k]]
    whole = np.concatenate(fit).astype(np.float64)
    mean, sd = whole.mean(axis=0), whole.std(axis=0)
    fit, held = ([(x - mean) / sd for x in part] for part in (fit, held))
    return fit, held, impute.part_named(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(NAMES), choices=NAMES)
    for name in parser.parse_args().sets:
        fit, held, part = parts_of(name)
        fitted = fit_imputer(SeriesSet.of([x.T for x in fit]), ImputeConfig())
        ways = [("points", s) for s in impute.SHARES]
        ways += [(kind, L) for kind in ("blocks", "rows") for L in part.blocks]
        for kind, amount in ways:
            seen = np.concatenate(impute.hide(held, kind, amount, 0))
            truth = np.concatenate(held)
            holes = Holes.of(truth, seen, np.array([len(x) for x in held]))
            scaled = fitted.units.scaled(holes)
            mean, sd = (each[holes.owners] for each in fitted.units.of(holes))
            guesses, _ = fitted.experts.guesses(scaled)
            blend = fitted.blend.of(guesses, kinds_of(scaled))
            for row, made in zip((*fitted.experts.names, "blend"), [*guesses, blend], strict=True):
                mse = float(np.square(made * sd + mean - truth)[~seen].mean())
                print(f"{name:8s} {kind} {amount:<6g} {row:34s} {mse:.4f}", flush=True)


if __name__ == "__main__":
    main()
