"""`python -m benchmarks.trials.near_series`: near series as positives, on the official splits.

The default of the open sets whose training parts have more than 200 series, beside itself learned
from copies alone; test parts are judged at 1, 2, 5 and all labels per class. On smaller sets both
are the same. The rule was chosen on other splits of some of these (benchmarks.unlabelled.CHOOSE);
Adiac and SyntheticControl had a part in the weight.
"""

import argparse
from unittest.mock import patch

import numpy as np

from benchmarks.dual_probe import hits_of
from benchmarks.open_data import UCR, UEA, load
from benchmarks.unlabelled import CHOOSE
from selftime.data.series import SeriesSet
from selftime.engine.pretrain import pretrain
from selftime.objectives.spectral import NEAR_FROM
from selftime.tasks.comparison.compare import draw_labels

SHOTS = (1, 2, 5, None)


def accuracy(train: SeriesSet, test: SeriesSet, draws: int) -> np.ndarray:
    """Accuracy in percent at each number of labels."""
    model = pretrain(train, progress=False)
    vectors = np.concatenate([model.embed(part, progress=False) for part in (train, test)])
    labels, judged = (
        np.concatenate([train.labels, test.labels]),
        np.arange(len(train), len(vectors)),
    )
    found = []
    for shots in SHOTS:
        picks = draw_labels(train.labels, shots, draws)
        if shots is None and len(train) > MOST:
            picks = [np.sort(np.random.default_rng(0).permutation(len(train))[:MOST])]
        found.append(hits_of(vectors, labels, model.reference_bank, judged, picks).mean())
    return 100 * np.array(found)


MOST = 2000
"""Labelled series at most: products of all pairs are kept."""


def main() -> None:
    """Measure every set; print the gain over copies alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    gains = dict[str, np.ndarray]()
    for name in args.sets:
        train, test = load(name)
        if len(train) <= NEAR_FROM:
            continue
        own = accuracy(train, test, args.draws)
        with patch("selftime.objectives.spectral.near_weight", return_value=0.0):
            alone = accuracy(train, test, args.draws)
        gains[name] = own - alone
        told = " ".join(f"{a:5.1f} ({g:+.1f})" for a, g in zip(own, gains[name], strict=True))
        print(f"{name:26s}{len(train):6,d}  {told}", flush=True)
    groups = {"all": list(gains), "outside CHOOSE": [n for n in gains if n not in CHOOSE]}
    for title, names in groups.items():
        points = np.array([gains[name] for name in names])
        error = (
            points.std(axis=0, ddof=1) / len(points) ** 0.5 if len(points) > 1 else 0 * points[0]
        )
        told = "  ".join(
            f"{m:+.1f} ± {e:.1f}" for m, e in zip(points.mean(axis=0), error, strict=True)
        )
        print(f"{title} ({len(names)} sets): {told}")


if __name__ == "__main__":
    main()
