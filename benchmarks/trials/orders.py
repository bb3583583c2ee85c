"""`python -m benchmarks.trials.orders`: what lets order be told in films that were not seen.

`right_order` and `segment_order` learn with and without differences of pieces, and with and without
the usual view of a film; all are judged on the last quarters of films, as by benchmarks.signals.
After the usual 300 steps the right of two orders is told in .58, .80 and .46 of the clips of bikes,
big buck bunny and moving digits with neither, in .95, .90 and .81 with the view, in .93, .90 and
.96 with differences, and in .90, 1 and .97 with both. Three segments are put in order in .50, 0 and
.15 with neither, in .10, .04 and .18 with the view, in .50, 0 and .32 with differences, and in .15,
0 and .36 with both.
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
