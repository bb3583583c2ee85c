"""`python -m benchmarks.trials.embedding_size`: few-label accuracy of narrower embeddings.

The learned part is cut to some of its directions, those of most variance before or after whitening,
and kept in 8 bits a weight; what stands beside it is kept by its principal axes over augmented
copies. All rows share features, draws and probe; the first row is the embedding as it was, 1,024
learned directions and every quantile. With `--whole` the default is measured as it is, near series
and all, beside the same without a bound on what stands beside and with 1,024 learned directions.
Points of the default beside that at 1 / 2 / 5 / all labels per class, 25 sets, 5 draws:

    -0.4 ± 0.2  -0.1 ± 0.1  +0.0 ± 0.2  -0.2 ± 0.2
"""

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.open_data import UCR, UEA, load
from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of, batches
from selftime.encoders.base import Encoder
from selftime.encoders.quantisation import quantise
from selftime.engine.choices import resolve
from selftime.engine.model import Model
from selftime.engine.pretrain import BANK_SIZE
from selftime.engine.solve import fit_closed_form, generator, sample_of
from selftime.objectives.base import Moments
from selftime.objectives.spectral import (
    Spectral,
    covariance_of_all,
    covariance_within,
    eigh,
    principal_basis,
    whitener,
    whitening,
)
from selftime.tasks.comparison.compare import draw_labels, row_hits
from selftime.tasks.comparison.rows import Row
from selftime.tasks.probing.probe import Probe
from selftime.views.mild import copies

BUDGETS = (1, 2, 5, None)
SHARE = 0.3
KEPT = 3


class Size(NamedTuple):
    """Directions that are learned, those beside them (None: as they are), bits of weights.

    ``after`` chooses the learned ones after whitening, as the package does.
    """

    learned: int = 1024
    beside: int | None = None
    bits: int = 32
    after: bool = False

    @property
    def name(self) -> str:
        """The size in words."""
        when = ", after" if self.after else ""
        return f"{self.learned}+{self.beside or 'all'}, {self.bits} bits{when}"


SIZES = (
    Size(),
    Size(bits=8),
    Size(768, 256, 8),
    Size(768, 256, 8, after=True),
    Size(768, None, 8, after=True),
    Size(640, 384, 8, after=True),
    Size(512, 256, 8, after=True),
)


@torch.no_grad()
def vectors_of(train: SeriesSet, test: SeriesSet) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Embeddings of both parts for each size."""
    scale = scaling.fit_channels(train)
    learner, _, _ = resolve(train, scale, "spectral", "auto", None, None, 0)
    assert isinstance(learner, Spectral) and learner.beside is not None
    beside, learner.beside = learner.beside, None  # the learned part has all directions
    sample = scale.apply(batch_of(train, sample_of(len(train), 0)))
    beside.prepare(sample, generator(0, 0))
    learner.prepare(sample, generator(0, 0))
    moments = None
    for part, batch in enumerate(batches(train, size=64), start=1):
        new = learner.accumulate(scale.apply(batch), generator(0, part))
        moments = moments + new if moments else new
    within = covariance_within(moments)
    n = min(max(1536 // len(sample.values), 1), learner.copies)
    seen = beside.embed(copies(sample, n, learner.view, generator(0, 0)))
    axes = principal_basis(seen, 512)
    parts = [features_of(learner, beside, scale, x) for x in (train, test)]
    out = {}
    for size in SIZES:
        d = 1024 if size.after else size.learned
        directions = whitener(within[:d, :d], learner.penalty)
        if size.after:
            total = covariance_of_all(moments)
            last = eigh(directions.T @ total @ directions)[1].flip(1)
            directions = directions @ last[:, : size.learned]
        weight = learner.basis[:, :d] @ directions.float()
        weight = quantise(weight) if size.bits == 8 else weight
        axis = axes[:, : size.beside]
        out[size.name] = tuple(
            torch.cat(
                [
                    F.normalize(phi @ weight, dim=1),
                    SHARE**0.5 * (q if size.beside is None else q @ axis),
                ],
                dim=1,
            ).numpy()
            for phi, q in parts
        )
    return out


class Unbounded(Spectral):
    """The default, but with 1,024 learned directions and all that stands beside."""

    room = 10**6

    def directions(self, within: torch.Tensor, moments: Moments) -> torch.Tensor:  # noqa: ARG002
        """All directions, whitened."""
        e, Q = eigh(within)
        return Q / whitening(e, self.penalty)


def whole_vectors_of(train: SeriesSet, test: SeriesSet) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Embeddings of both parts by the default, and by the same without a bound."""
    scale = scaling.fit_channels(train)
    out = {}
    for name, kind in (("unbounded", Unbounded), ("default", Spectral)):
        usual, _, _ = resolve(train, scale, "spectral", "auto", None, None, 0)
        assert isinstance(usual, Spectral)
        learner = kind(**{key: getattr(usual, key) for key in _SETTINGS})
        model = Model(fit_closed_form(learner, train, scale), scale, train.channels)
        out[name] = tuple(model.embed(x, progress=False) for x in (train, test))
    return out


_SETTINGS = ("encoder", "beside", "view", "penalty", "copies", "dim")


def features_of(
    learner: Spectral, beside: Encoder, scale: scaling.Scaling, x: SeriesSet
) -> tuple[torch.Tensor, ...]:
    """Centred features and quantiles of every series."""
    found = [
        (learner.encoder.embed(b) - learner.centre, beside.embed(b))
        for b in (scale.apply(batch) for batch in batches(x, size=256))
    ]
    return tuple(torch.cat(part) for part in zip(*found, strict=True))


def measure(name: str, draws: int, keep: Path | None, whole: bool) -> dict[str, list[float]]:
    """Accuracy at each number of labels, for each size."""
    train, test = load(name)
    bank = sample_of(len(train), 0, BANK_SIZE)
    found = {}
    vectors = (whole_vectors_of if whole else vectors_of)(train, test)
    if keep and not whole:
        own, asked = vectors[SIZES[KEPT].name]
        np.savez(keep / f"{name}.npz", train=own, test=asked, y=train.labels, z=test.labels)
    for size, (own, asked) in vectors.items():
        row = Row(size, own, asked, Probe(reference_bank=own[bank]))
        found[size] = [
            float(
                row_hits(row, train.labels, test.labels, draw_labels(train.labels, b, draws)).mean()
            )
            for b in BUDGETS
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/embedding_size.json"))
    parser.add_argument("--keep", type=Path, help="folder for the vectors of one size")
    parser.add_argument("--whole", action="store_true", help="the default, beside no bound")
    args = parser.parse_args()
    names = ["unbounded", "default"] if args.whole else [size.name for size in SIZES]
    results = {}
    for name in args.sets:
        results[name] = measure(name, args.draws, args.keep, args.whole)
        first = np.array(results[name][names[0]])
        for size, row in results[name].items():
            shown = " ".join(f"{p:+6.2f}" for p in 100 * (np.array(row) - first))
            print(f"{name:24s} {size:22s} {shown}", flush=True)
        args.out.write_text(json.dumps({"draws": args.draws, "sets": results}, indent=1) + "\n")
    print("\npoints beside the first, mean ± standard error over sets, at 1, 2, 5, all labels")
    for size in names:
        lead = 100 * np.array([np.subtract(r[size], r[names[0]]) for r in results.values()])
        error = lead.std(axis=0, ddof=1) / len(lead) ** 0.5 if len(lead) > 1 else 0 * lead[0]
        cells = "  ".join(
            f"{m:+.2f} ± {s:.2f}" for m, s in zip(lead.mean(axis=0), error, strict=True)
        )
        print(f"{size:22s} {cells}")


if __name__ == "__main__":
    main()
