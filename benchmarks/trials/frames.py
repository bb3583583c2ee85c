"""`python -m benchmarks.trials.frames`: what lets the next frame and three segments be told.

Frames of 18 x 32 pixels; learned from the first halves of films and 4,000 clips of digits that
move, judged on the third quarters and on digits that are kept apart, after 200 steps.

Three segments of moving digits are put in order in .40 of the clips with `frames_small`, in .46
where a GRU reads the frames, and in .39 with that and the usual view of a film; with a GRU, 8,000
clips and 1,500 steps in .99. In bikes it is 0, .16 and .27 (20 clips that overlap), in big buck
bunny (5 clips) 0 with all. With moving digits the error of the last frame repeated is 1.07 times
that of the next frame that `dilated_causal` predicts, 1.12 times with a causal GRU (1.18 after 300
steps from 8,000 whole clips); in bikes .51 and .43 times, and .03 times where pixels are predicted
and not their change. A linear map of what lies around each pixel in the last two frames has 1.88
with moving digits, .73 in bikes and .54 in big buck bunny, which hardly moves there.
"""

import argparse
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from benchmarks.signals_common import learn
from benchmarks.signals_film import (
    FRAMES,
    SMALL,
    digits_that_move,
    films,
    network_of,
    next_frames,
    orders_of_three,
    together,
)
from selftime.data.series import SeriesSet
from selftime.encoders.builders import build_encoder
from selftime.objectives.base import Objective
from selftime.objectives.next_step import NextStep
from selftime.objectives.segment_order import SegmentOrder
from selftime.views.pairs import same
from selftime.views.registry import view_of

REACH = 2
"""Pixels to every side that the linear reference looks at, in the last two frames."""


def neighbourhoods(clips: SeriesSet) -> tuple[Float[np.ndarray, "S F"], Float[np.ndarray, "S"]]:
    """What lies around each pixel, less the pixel, and by how much it changes to the next frame."""
    frames = clips.values.reshape(len(clips), *SMALL, -1).transpose(0, 3, 1, 2)  # (N,T,H,W)
    edge = (REACH, REACH)
    wide = np.pad(frames, ((0, 0), (0, 0), edge, edge), mode="edge")
    now = frames[:, 1:-1]
    seen = [
        part[:, :, row : row + SMALL[0], column : column + SMALL[1]] - now
        for part in (wide[:, 1:-1], wide[:, :-2])
        for row in range(2 * REACH + 1)
        for column in range(2 * REACH + 1)
    ]
    return np.stack(seen, axis=-1).reshape(now.size, -1), (frames[:, 2:] - now).ravel()


def linear(own: SeriesSet, judged: SeriesSet) -> float:
    """Error of repeating the last frame over that of a linear map of neighbourhoods (ridge)."""
    x, change = neighbourhoods(own[np.arange(0, len(own), max(len(own) // 150, 1))])
    square = x.T @ x
    ridge = 1e-3 * np.trace(square) / len(square) * np.eye(len(square))
    weights = np.linalg.solve(square + ridge, x.T @ change)
    x, change = neighbourhoods(judged)
    return float((change**2).mean() / ((x @ weights - change) ** 2).mean())


def ways(series: SeriesSet) -> dict[str, tuple[Objective, Any]]:
    """Objectives to learn, and how each is judged."""

    def named(name: str) -> Any:
        return build_encoder(name, kind=series.kind, channels=series.n_channels, length=FRAMES)

    usual, causal = view_of(series.kind), lambda: network_of("next_step", series, 0)
    orders = {
        f"segments, {name}, view={view is not same}": SegmentOrder(
            encoder=named(name), segments=3, differences=True, view=view
        )
        for name, view in (("frames_small", same), ("gru", same), ("gru", usual))
    }
    ahead = {
        "next, dilated_causal": NextStep(encoder=named("dilated_causal"), frame=1, change=True),
        "next, causal gru": NextStep(encoder=causal(), frame=1, change=True),
        "next, causal gru, no change": NextStep(encoder=causal(), frame=1),
    }
    return {name: (way, orders_of_three) for name, way in orders.items()} | {
        name: (way, next_frames) for name, way in ahead.items()
    }


def main() -> None:
    """Learn in each way from films, then from digits, and print what is told of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials.frames", description=__doc__)
    parser.add_argument("ways", nargs="*", help="beginnings of names")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--clips", type=int, default=4000, help="of digits")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for found in (films(SMALL, 2), digits_that_move(args.clips, SMALL, 2)):
        series = together([own for own, _ in found.values()])
        print("linear:", {name: round(linear(*parts), 2) for name, parts in found.items()})
        for name, (way, ask) in ways(series).items():
            if not args.ways or name.startswith(tuple(args.ways)):
                learned = learn(way, series, args.steps)
                told = {source: ask(learned, test) for source, (_, test) in found.items()}
                print(f"{name}, {learned.seconds:.0f} s:", told, flush=True)


if __name__ == "__main__":
    main()
