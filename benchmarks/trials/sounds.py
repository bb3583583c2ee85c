"""`python -m benchmarks.trials.sounds [WAY ...]`: ways for CPC to learn from few spoken digits.

Chosen on takes 5 to 7 alone: learned from takes 5 and 6 and judged on 7, then from three speakers
and judged on the fourth, with 5 labels of each digit. Shares that are right, takes / speakers, for
mean tokens, then for mean and deviation of tokens:

    mean log-mel + ridge              .80 / .48
    untrained                         .79 / .39    .88 / .52
    usual view of the past            .88 / .39    .88 / .51
    untrained, own levels             .83 / .65    .88 / .71
    own levels                        .85 / .63    .87 / .69
    own levels, twice the steps       .83 / .64    .83 / .63
    other voices in the past          .82 / .68    .87 / .68
    half a word ahead                 .82 / .60    .87 / .59
    two quarters ahead                .81 / .63    .84 / .65
    own negatives                     .86 / .58    .89 / .60
    both negatives                    .83 / .66    .85 / .67
    dilated                           .74 / .43    .84 / .60

That each recording is read from its own mean in each band is worth 15 points and more where a
speaker is held out, with or without learning; nothing else is worth more than their errors (3 to 4
points).
"""

import argparse
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator

from benchmarks.signals_common import learn, model_of
from benchmarks.signals_sound import digits, takes_of
from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.encoders.builders import build_encoder
from selftime.encoders.wrappers.layered import Layered
from selftime.engine.model import Model
from selftime.objectives.cpc import CPC, Ahead
from selftime.tasks.comparison.rows import Row, bands_ridge, model_row, raw_values_row
from selftime.views.amplitude import jitter, loudness
from selftime.views.draws import either_way
from selftime.views.mild import View
from selftime.views.pairs import Chain, Fixed, same
from selftime.views.registry import view_of

DRAWS, SHOTS = 6, 5
POOLINGS = ("mean", "mean+deviation")
"""Of the tokens of a recording."""


def voice(x: Batch, rng: Generator, *, strength: float = 0.1, offset: float = 0.05) -> Batch:
    """Stretch and move the bands of each sound, as a longer or shorter vocal tract does.

    Vocal tract length perturbation (Jaitly & Hinton 2013), on mel bands.
    """
    B, C, T = x.values.shape
    wide, by = either_way(2, B, rng=rng, like=x.values)
    bands = torch.arange(C) * (1 + strength * wide[:, None]) + offset * C * by[:, None]  # (B,C)
    bands = bands.clamp(0, C - 1)
    low = bands.long().clamp(max=C - 2)
    share = (bands - low)[:, :, None].to(x.values.dtype)
    values = x.values.where(x.observed, 0.0)
    below, above = (values.gather(1, (low + k)[:, :, None].expand(B, C, T)) for k in (0, 1))
    return Batch((below * (1 - share) + above * share).where(x.observed, 0.0), x.observed)


class Way(NamedTuple):
    """A way to learn; of no steps the network stays untrained."""

    steps: int = 300
    own_level: bool = True
    encoder: str = "gru"
    negatives: str = "series"
    ahead: Ahead = Ahead()
    view: View = same


VOICES = Chain((voice, Fixed(loudness, strength=0.2), Fixed(jitter, strength=0.05)))
USUAL = view_of(digits("sound").kind)
WAYS = {
    "untrained": Way(0, own_level=False),
    "usual view of the past": Way(own_level=False, view=USUAL),
    "untrained, own levels": Way(0),
    "own levels": Way(),
    "own levels, twice the steps": Way(600),
    "other voices in the past": Way(view=VOICES),
    "half a word ahead": Way(view=VOICES, ahead=Ahead(segments=1, share=0.4)),
    "two quarters ahead": Way(view=Chain((voice, USUAL)), ahead=Ahead(segments=2, share=0.25)),
    "own negatives": Way(view=VOICES, negatives="own"),
    "both negatives": Way(view=VOICES, negatives="both"),
    "dilated": Way(200, encoder="dilated", view=VOICES),
}


def made(way: Way, own: SeriesSet) -> Iterator[Model]:
    """Learn in a way, and give the model of each pooling."""
    fit: Callable[[SeriesSet], Scaling] = scaling.fit_own_level if way.own_level else scaling.fit
    scale, size = fit(own), {"channels": own.n_channels, "length": 40}
    body = build_encoder(way.encoder, kind=own.kind, **size)
    if way.steps:
        objective = CPC(encoder=body, negatives=way.negatives, ahead=way.ahead, view=way.view)
        body = learn(objective, own, way.steps, scale=scale).objective.encoder
    for pooling in POOLINGS:
        last = len(body.layer_shapes()) - 1
        pooled = Layered(encoder=body, layer=last, pooling=pooling)
        yield model_of(pooled, own, scale)


def share_right(row: Row, own: SeriesSet, judged: SeriesSet) -> float:
    """Mean share of digits told with five labels of each."""
    labels, asked, right = np.asarray(own.labels), np.asarray(judged.labels), []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        rows = [rng.permutation(np.flatnonzero(labels == c))[:SHOTS] for c in np.unique(labels)]
        few = np.concatenate(rows)
        right.append(np.mean(row.head.fit(row.train[few], labels[few]).predict(row.test) == asked))
    return float(np.mean(right))


def main() -> None:
    """Learn in each way from takes 5 and 6, then from three speakers, and judge on the others."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials.sounds", description=__doc__)
    parser.add_argument("ways", nargs="*", default=list(WAYS), metavar="WAY")
    args = parser.parse_args()
    torch.set_num_threads(1)
    series = digits("sound")
    series = series[takes_of(series) >= 5]
    speakers = np.asarray(series.groups)
    folds = [takes_of(series) < 7, *(speakers != who for who in np.unique(speakers))]
    parts = [(series[fold], series[~fold]) for fold in folds]

    def tell(name: str, rows: list[Row]) -> None:
        told = [share_right(row, *part) for row, part in zip(rows, parts, strict=True)]
        print(f"{name:45s} take {told[0]:.3f}  speaker {np.mean(told[1:]):.3f}", flush=True)

    bare = [next(made(WAYS["untrained"], own)) for own, _ in parts]
    for name, make in (("mean log-mel + ridge", bands_ridge), ("raw values", raw_values_row)):
        tell(name, [make(model, *part) for model, part in zip(bare, parts, strict=True)])
    for name in args.ways:
        models = [tuple(made(WAYS[name], own)) for own, _ in parts]
        for k, pooling in enumerate(POOLINGS):
            rows = [model_row(each[k], *part) for each, part in zip(models, parts, strict=True)]
            tell(f"{name}, {pooling}", rows)


if __name__ == "__main__":
    main()
