"""`python -m benchmarks.trials.orders`: what lets order be told in films that were not seen.

`right_order` and `segment_order` learn with and without differences of pieces, and with and without
the usual view of a film; all are judged on the last quarters of films, as by benchmarks.signals.
After 200 steps without differences and views the right of two orders was told in .47 of the clips
of bikes, .58 of big buck bunny and .60 of the digits; after 300 steps with differences in .91, .90
and .94. Three segments were put in order in .43, .00 and .18 without both, in .44, .00 and .23 with
differences, and in .11, .00 and .36 with a view too, while films that were learned from reached 1.
"""

import argparse
from itertools import product

from benchmarks.signals_common import learn
from benchmarks.signals_film import FRAMES, orders_of_three, right_orders, sources, together
from selftime.encoders.builders import build_encoder
from selftime.objectives.right_order import RightOrder
from selftime.objectives.segment_order import SegmentOrder
from selftime.views.pairs import same
from selftime.views.registry import view_of


def main() -> None:
    """Learn in each of the four ways, and print what is told of each film."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials.orders", description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    found = sources()
    series = together([own for own, _ in found.values()])
    usual = view_of(series.kind)
    for differences, viewed in product((False, True), (False, True)):
        for name, ask in (("right_order", right_orders), ("segment_order", orders_of_three)):
            body = build_encoder(
                "frames_small", kind=series.kind, channels=series.n_channels, length=FRAMES
            )
            view = usual if viewed else same
            made = (
                RightOrder(encoder=body, differences=differences, view=view)
                if name == "right_order"
                else SegmentOrder(encoder=body, segments=3, differences=differences, view=view)
            )
            learned = learn(made, series, args.steps)
            told = {source: ask(learned, test) for source, (_, test) in found.items()}
            print(f"{name}, differences={differences}, view={viewed}:", told, flush=True)


if __name__ == "__main__":
    main()
