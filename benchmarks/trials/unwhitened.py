"""`python -m benchmarks.trials.unwhitened`: whitening, taken back where labels are many.

The map that `spectral` learned tells by its Gram matrix how far it whitened each direction; a power
g of that is taken back before the probe: 0 is the embedding as it is, 1 the principal components of
the encoder untrained. A fixed g for all sets, or that with the least squared error on cases left
out, which is how the probe chooses its penalty. Halves of training parts of the open sets (two
ways to cut; test parts are not looked at): the first half is learned from and gives the labels, the
second is judged. Points over the embedding as it is at 1 / 2 / 5 / all labels per class, mean and
standard error over 25 sets:

    0.25              -0.2 ± 0.2  +0.2 ± 0.2  +0.1 ± 0.1  +0.1 ± 0.1
    0.5               -1.0 ± 0.3  -0.1 ± 0.3  -0.1 ± 0.3  +0.3 ± 0.3
    0.75              -2.0 ± 0.5  -0.9 ± 0.5  +0.2 ± 0.6  +0.9 ± 0.6
    1                 -3.5 ± 0.7  -1.4 ± 0.7  -0.4 ± 1.0  -0.2 ± 0.8
    least left out    -0.9 ± 0.4  -0.0 ± 0.3  +0.1 ± 0.3  +0.3 ± 0.3

What is gained with all labels is gained on DodgerLoopDay (+5), by 40 labels of 7 classes: dropped.
"""

import argparse

import numpy as np

from benchmarks.open_data import UCR, UEA
from benchmarks.trials.halves import halves_of
from selftime.data.splits import draw_per_class
from selftime.encoders.base import Joined
from selftime.encoders.wrappers.projected import Projected, UnitLength
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.tasks.probing.probe import Probe, penalties_for
from selftime.tasks.probing.ridge import class_signs, ridge_of_least_error

POWERS, SHOTS, DRAWS, MOST_SERIES = (0.0, 0.25, 0.5, 0.75, 1.0), (1, 2, 5, None), 5, 2000


def unwhitened(model: Model, x: np.ndarray, power: float) -> np.ndarray:
    """Vectors with so much of the whitening of their learned part taken back, of length 1 again."""
    joined = model.encoder
    assert isinstance(joined, Joined) and isinstance(unit := joined.encoders[0], UnitLength)
    assert isinstance(unit.encoder, Projected)
    weight = unit.encoder.weight.double().numpy()
    e, U = np.linalg.eigh(weight.T @ weight)
    part = x[:, : len(e)] @ (U * np.maximum(e, 1e-9 * e[-1]) ** (-power / 2))
    part /= np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12)
    return np.concatenate([part, x[:, len(e) :]], axis=1)


def measured(name: str, split: int) -> np.ndarray:
    """Accuracy in percent at each number of labels (S,) of every power, then of the choice."""
    series, index, learn, judged = halves_of(name, split, MOST_SERIES)
    model = pretrain(series[learn], progress=False)
    assert model.reference_bank is not None
    x = model.embed(series, progress=False).astype(np.float64)
    both = [
        (x, model.reference_bank)
        if power == 0
        else (unwhitened(model, x, power), unwhitened(model, model.reference_bank, power))
        for power in POWERS
    ]
    found = np.zeros((len(SHOTS), len(POWERS) + 1))
    for s, shots in enumerate(SHOTS):
        for draw in range(DRAWS if shots else 1):
            rng = np.random.default_rng(draw)
            rows = learn if shots is None else learn[draw_per_class(index[learn], shots, rng)]
            y = np.unique(index[rows], return_inverse=True)[1]
            signs, errors, hits = class_signs(y, y.max() + 1), [], []
            for vectors, bank in both:
                probe = Probe(reference_bank=bank).fit(vectors[rows], index[rows])
                hits.append((probe.predict(vectors[judged]) == index[judged]).mean())
                near = probe._move_to_neighbours(vectors[rows])
                best = ridge_of_least_error(near, signs, penalties_for(np.bincount(y)))
                errors.append(float(np.square(best.left_out - signs).mean()))
            hits.append(hits[int(np.argmin(errors))])
            found[s] += 100 * np.array(hits) / (DRAWS if shots else 1)
    return found


def main() -> None:
    """Measure every set and print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--splits", nargs="+", type=int, default=[7, 8])
    args = parser.parse_args()
    found = []
    for name in args.sets:
        found.append(np.mean([measured(name, split) for split in args.splits], axis=0))
        print(f"{name:26s}", found[-1].round(1).tolist(), flush=True)
    lead = np.array(found) - np.array(found)[:, :, :1]  # (sets,S,powers and choice)
    mean = lead.mean(axis=0)
    error = lead.std(axis=0, ddof=1) / len(lead) ** 0.5 if len(lead) > 1 else 0 * mean
    for j, name in enumerate([*map(str, POWERS), "least left out"]):
        cells = (f"{m:+.2f} ± {e:.2f}" for m, e in zip(mean[:, j], error[:, j], strict=True))
        print(f"{name:16s}", "  ".join(cells))


if __name__ == "__main__":
    main()
