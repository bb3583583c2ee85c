"""`python -m benchmarks.calibration`: do probabilities mean what they say where labels are few?

Expected calibration error of the default probe on the test part of open sets, 3 draws of labels,
with its temperature fitted on the labels alone and on simulated labels beside them. No constant was
chosen on more than four of the sets (Adiac, ArrowHead, CBF, Computers).
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.open_data import UCR, UEA, load
from selftime.engine.pretrain import pretrain
from selftime.tasks.comparison.compare import Shots, draw_labels, labels_in_words
from selftime.tasks.evaluation.reliability import calibration_error
from selftime.tasks.probing.heads import SIMULATIONS
from selftime.tasks.probing.probe import Probe

BUDGETS: tuple[Shots, ...] = (1, 2, 5, None)
ROWS = {"labels alone": 0, "simulated labels beside them": SIMULATIONS}
DRAWS = 3


def measured(name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Calibration error, mean confidence and accuracy of each row and number of labels."""
    train, test = load(name)
    model = pretrain(train, progress=False)
    own, asked = (model.embed(part, progress=False) for part in (train, test))
    labels, truth = np.asarray(train.labels), np.asarray(test.labels)
    found: dict[str, dict[str, dict[str, float]]] = {row: {} for row in ROWS}
    for budget in BUDGETS:
        for row, simulations in ROWS.items():
            cells = []
            for pick in draw_labels(labels, budget, DRAWS if budget else 1):
                probe = Probe(simulations=simulations, reference_bank=model.reference_bank)
                sure = probe.fit(own[pick], labels[pick]).predict_proba(asked)
                right = probe.classes_[sure.argmax(axis=1)] == truth
                error = float(calibration_error(sure.max(axis=1), right))
                cells.append((error, float(sure.max(axis=1).mean()), float(right.mean())))
            names = ("error", "confidence", "accuracy")
            means = np.mean(cells, axis=0).tolist()
            found[row][labels_in_words(budget)] = dict(zip(names, means, strict=True))
    return found


def main() -> None:
    """Measure set by set, write and print means over sets with standard errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    out = Path(__file__).parent / "results" / "calibration.json"
    parser.add_argument("--out", type=Path, default=out)
    args = parser.parse_args()
    sets = {}
    for name in args.sets:
        sets[name] = measured(name)
        args.out.write_text(json.dumps({"draws": DRAWS, "sets": sets}, indent=1) + "\n")
        for row, cells in sets[name].items():
            print(
                f"{name:26s}{row:30s}", *(f"{c['error']:.3f}" for c in cells.values()), flush=True
            )
    for row in ROWS:
        errors = np.array([[c["error"] for c in one[row].values()] for one in sets.values()])
        spread = errors.std(axis=0, ddof=1) / len(errors) ** 0.5
        both = zip(errors.mean(axis=0), spread, strict=True)
        print(f"{row:30s}", *(f"{mean:.3f} ± {error:.3f}" for mean, error in both))


if __name__ == "__main__":
    main()
