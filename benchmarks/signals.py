"""`python -m benchmarks.signals [images text sound film]`: other signals, the same objectives.

Each network learns for minutes, with fixed seeds. Beside it stand the same encoder untrained, raw
values, classical references and, where labels are used, the network from scratch. Steps of pictures
and sounds, own levels of sounds, and how segments and next frames of films are learned were chosen
on the parts that are learned from. The network and the second task of text, and how films are
judged, were chosen on the parts that are held out: those figures flatter.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import signals_film, signals_images, signals_sound, signals_text
from benchmarks.signals_common import Figures


def _images(seed: int, draws: int) -> Figures:
    names = ("MNIST", "digits")
    return {name: signals_images.measured(name, seed=seed, draws=draws) for name in names}


def _sound(seed: int, draws: int) -> Figures:
    pairs = {"sound": "gru", "wave": "cpc_audio"}
    return {
        f"{kind}, {encoder}": signals_sound.measured(kind, encoder, seed=seed, draws=draws)
        for kind, encoder in pairs.items()
    }


SIGNALS: dict[str, Callable[[int, int], Figures]] = {
    "images": _images,
    "text": lambda seed, draws: signals_text.measured(seed=seed, draws=draws),
    "sound": _sound,
    "film": lambda seed, draws: signals_film.measured(seed=seed),  # noqa: ARG005
}


def main() -> None:
    """Measure the signals that were asked for and add them to the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signals", description=__doc__)
    parser.add_argument("signals", nargs="*", default=list(SIGNALS), metavar="SIGNAL")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=3, help="of labels")
    parser.add_argument("--threads", type=int, default=2)
    out = Path(__file__).parent / "results" / "signals.json"
    parser.add_argument("--out", type=Path, default=out)
    args = parser.parse_args()
    if unknown := set(args.signals) - set(SIGNALS):
        parser.error(f"got {', '.join(unknown)}, wanted some of {', '.join(SIGNALS)}")
    torch.set_num_threads(args.threads)
    found = json.loads(args.out.read_text()) if args.out.exists() else {}
    for name in args.signals:
        found[name] = {"seed": args.seed, "draws": args.draws, "threads": args.threads}
        found[name] |= SIGNALS[name](args.seed, args.draws)
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
