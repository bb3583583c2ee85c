"""`python -m benchmarks`: few-label accuracy and speed, beside aeon, written to JSON."""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks import few_labels
from benchmarks.open_data import UCR, UEA
from selftime.engine.model import current_versions

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=[*UCR, *UEA], help="data sets; all by default")
    parser.add_argument("--draws", type=int, default=5, help="draws of labels, seeds 0, 1, …")
    parser.add_argument("--scratch-draws", type=int, default=2, help="of them, from scratch")
    parser.add_argument("--scratch-steps", type=int, default=400, help="most steps from scratch")
    parser.add_argument("--resume", action="store_true", help="keep rows that are in --out already")
    parser.add_argument("--out", type=Path, default=RESULTS / "few_labels.json")
    args = parser.parse_args()
    if unknown := set(args.sets) - {*UCR, *UEA}:
        parser.error(
            f"unknown sets {', '.join(sorted(unknown))}: choose from {' '.join([*UCR, *UEA])}"
        )
    effort = few_labels.Effort(args.draws, args.scratch_draws, args.scratch_steps)
    known = json.loads(args.out.read_text())["sets"] if args.resume and args.out.exists() else {}
    few_labels.run(args.sets, effort, lambda results: write(args.out, results), known)
    print(f"\nwritten to {args.out}")


def write(path: Path, results: dict[str, Any]) -> None:
    """The results with what they were measured with."""
    machine = {**current_versions(), "threads": str(torch.get_num_threads())}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"made_with": machine, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
