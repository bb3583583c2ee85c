"""What was measured, into the package and the pages on methods: `python -m benchmarks.publish`.

Means over sets and seeds of results/roster.json, and what a step costs of results/step_speed.json,
become src/selftime/report/measured.json, which `selftime methods` shows; from it the tables in
docs/methods are written anew. Rows of a kind share sets and seeds; what lacks some is left out.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.__main__ import RESULTS
from benchmarks.measured_tables import with_tables
from benchmarks.roster import (
    BUDGETS,
    CLOSED,
    HOMES,
    UCR,
    UEA,
    base_of,
    means,
    row_of,
    seeds_of,
    small,
)
from selftime.encoders.builders import BUILDERS
from selftime.objectives.formula import takes_steps
from selftime.objectives.registry import OBJECTIVES
from selftime.report import methods as measured
from selftime.tasks.comparison.compare import labels_in_words

ROOT = Path(__file__).parents[1]
MEASURED = Path(measured.__file__).with_name("measured.json")
PAGES = ROOT / "docs" / "methods"
LABELS = [labels_in_words(budget) for budget in BUDGETS]
REFERENCES = {
    "MiniRocket + ridge": "MiniRocket + ridge",
    "official ts2vec": "TS2Vec, its authors' code",
    "untrained": "dilated untrained",
    "untrained @ causal": "dilated untrained, causal",
    "untrained @ transformer": "transformer untrained",
    "untrained @ tstcc_cnn": "tstcc_cnn untrained",
}
"""Rows that others stand beside, and what they are called in tables."""


class Entry(NamedTuple):
    """Where the figures of a method are.

    Attributes:
        row: in the results.
        base: the row of the same encoder untrained; None if it stands beside none.
    """

    row: str
    base: str | None


class Ground(NamedTuple):
    """What rows are means over."""

    sets: list[str]
    seeds: list[str]

    def of(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The results on these sets with these seeds, nothing else."""
        return {
            name: {row: {k: got[k] for k in self.seeds if k in got} for row, got in rows.items()}
            for name, rows in kept.items()
            if name in self.sets
        }

    def has(self, kept: dict[str, Any], row: str) -> bool:
        """Whether a row was measured on all of it."""
        return set(self.seeds) <= set(seeds_of(kept, self.sets, row))


def objectives_in(kept: dict[str, Any]) -> dict[str, Entry]:
    """Every objective that was measured, on its encoder."""
    there = {row for rows in kept.values() for row in rows}
    rows = {name: row_of(name) for name in OBJECTIVES}
    return {name: Entry(row, base_of(row)) for name, row in rows.items() if row in there}


def encoders_in(kept: dict[str, Any]) -> dict[str, Entry]:
    """Every encoder that was measured: learned with SimCLR, or untrained where nothing can be."""
    there = {row for rows in kept.values() for row in rows}
    found = {}
    for name in BUILDERS:
        learned, bare = f"simclr @ {name}", f"untrained @ {name}"
        if learned in there:
            found[name] = Entry(learned, bare)
        elif name == "dilated" and "simclr" in there:
            found[name] = Entry("simclr", base_of("simclr"))
        elif bare in there and name not in HOMES.values():
            found[name] = Entry(bare, None)
    return found if len(found) > 1 else {}


def sums_in(kept: dict[str, Any]) -> dict[str, Entry]:
    """Every sum of objectives that was measured, such as "simclr + 0.5*masked_patches"."""
    rows = dict.fromkeys(row for rows in kept.values() for row in rows)
    sums = [row for row in rows if "+" in row and " @ " not in row and row not in REFERENCES]
    return {row: Entry(row, "untrained") for row in sums if takes_steps(row)}


def ground_of(kept: dict[str, Any], entries: dict[str, Entry]) -> Ground:
    """Sets, and seeds on them, on which most was measured of these rows and their bases."""
    order = [name for name in (*UCR, *UEA) if name in kept]
    order += [name for name in kept if name not in order]
    rows = {row for entry in entries.values() for row in entry if row is not None}
    sets = fullest([{name for name in order if kept[name].get(row)} for row in rows])
    within = [name for name in order if name in sets]
    return Ground(within, sorted(fullest([set(seeds_of(kept, within, row)) for row in rows])))


def fullest(choices: list[set[str]]) -> set[str]:
    """The one of these sets for which most is there: its size times how many contain it."""
    return max(choices, key=lambda choice: len(choice) * sum(choice <= other for other in choices))


def by_label(values: np.ndarray) -> dict[str, float]:
    """Points by labels per class."""
    return {label: round(float(value), 1) for label, value in zip(LABELS, values, strict=True)}


def rows_of(
    kept: dict[str, Any], ground: Ground, entries: dict[str, Entry], steps: dict[str, float]
) -> dict[str, dict[str, Any]]:
    """What ``measured.json`` holds of each method of a kind; ``steps`` are times the cheapest."""
    part = ground.of(kept)
    whole = {name: entry for name, entry in entries.items() if ground.has(kept, entry.row)}
    got = {name: means(part, ground.sets, entry.row).mean(axis=0) for name, entry in whole.items()}
    order = sorted(got, key=lambda name: -got[name].mean())
    found = {}
    for name, entry in whole.items():
        gain = {}
        if entry.base and ground.has(kept, entry.base):
            gain = by_label(got[name] - means(part, ground.sets, entry.base).mean(axis=0))
        found[name] = {
            "rank": order.index(name) + 1,
            "among": len(order),
            "accuracy": by_label(got[name]),
            "gain": gain,
            "step": steps.get(name),
            "encoder": encoder_of(entry.row),
        }
    return found


def encoder_of(row: str) -> str:
    """The encoder of a row, as people type it."""
    objective, _, encoder = row.partition(" @ ")
    if objective in CLOSED:
        return "rocket"
    causal = encoder == "causal" or objective == "next_step"
    return "dilated_causal" if causal else encoder or "dilated"


def references(kept: dict[str, Any], ground: Ground) -> dict[str, dict[str, float]]:
    """Accuracy of what methods stand beside, as far as it was measured on the same ground."""
    part = ground.of(kept)
    return {
        title: by_label(means(part, ground.sets, row).mean(axis=0))
        for row, title in REFERENCES.items()
        if ground.has(kept, row)
    }


def said_of(
    results: dict[str, Any], ground: Ground, entries: dict[str, Entry], encoder: str
) -> str:
    """What the figures of a kind are means over, in one paragraph."""
    seeds = f"seed{'s' * (len(ground.seeds) > 1)} {', '.join(ground.seeds)}"
    return (
        "Accuracy in percent of the linear probe on frozen vectors, mean over "
        f"{sets_told(ground.sets)}, official splits; learning {seeds}, {results['draws']} draws of "
        f"labels each, {results['steps']} steps of learning by gradient. {encoder} Rank by the "
        "mean over numbers of labels; gain in points at the same numbers of labels"
        f"{spread(results['sets'], ground, entries)}."
    )


def sets_told(names: list[str]) -> str:
    """How many sets of each archive, and which."""
    parts = []
    for title, archive in {"UCR": UCR, "UEA": UEA}.items():
        if some := [name for name in names if name in archive]:
            parts.append(f"{len(some)} {title} set{'s' * (len(some) > 1)} ({', '.join(some)})")
    if others := [name for name in names if name not in (*UCR, *UEA)]:
        parts.append(", ".join(others))
    return " and ".join(parts)


def spread(kept: dict[str, Any], ground: Ground, entries: dict[str, Entry]) -> str:
    """How far means differ from seed to seed; nothing of a single one."""
    if len(ground.seeds) < 2:
        return "; with one seed, differences of a point say little"
    part = ground.of(kept)
    whole = [entry.row for entry in entries.values() if ground.has(kept, entry.row)]
    errors = [means(part, ground.sets, row).std(axis=0, ddof=1) for row in whole]
    typical = np.median(np.array(errors), axis=0) / len(ground.seeds) ** 0.5
    told = " / ".join(f"{value:.1f}" for value in typical)
    return f"; the standard error over seeds is {told} for the median row"


def usual_encoder() -> str:
    """The encoder of the rows, in words."""
    made = small(1, 0)
    size = f"hidden {made.hidden}, depth {made.depth}, dim {made.dim}"
    return (
        f"`dilated` is small here ({size}); methods whose papers train Transformers or plain "
        "convolutions have such an encoder, at its published size; closed forms are solved on "
        "`rocket` and have no gain here. Step: seconds on one batch and the small `dilated`, as a "
        "multiple of the cheapest method's."
    )


ENCODERS = (
    "Encoders by gradient are learned with `simclr`, each at its published size unless only the "
    "small `dilated` was measured; the others are not trained. Steps of encoders were not timed."
)


def published(results: dict[str, Any], seconds: dict[str, float]) -> dict[str, Any]:
    """The whole of ``measured.json``; what lacks sets or seeds is named on the terminal."""
    kept = results["sets"]
    cheapest = min(seconds.values(), default=1.0)
    steps = {name: round(value / cheapest, 2) for name, value in seconds.items()}
    found = {
        "objective": (objectives_in(kept), usual_encoder(), steps),
        "encoder": (encoders_in(kept), ENCODERS, {}),
        "combined": (sums_in(kept), usual_encoder(), {}),
    }
    content: dict[str, Any] = {"about": {}, "reference": {}} | {kind: {} for kind in found}
    for kind, (entries, encoder, costs) in found.items():
        if not entries:
            continue
        ground = ground_of(kept, entries)
        content[kind] = rows_of(kept, ground, entries, costs)
        content["reference"][kind] = references(kept, ground)
        content["about"][kind] = said_of(results, ground, entries, encoder)
        if missing := sorted(set(entries) - set(content[kind])):
            print(f"{kind}: left out, as sets or seeds are missing: {', '.join(missing)}")
    return content


def main() -> None:
    """Read the command line, write the figures and the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description=__doc__)
    parser.add_argument("--roster", type=Path, default=RESULTS / "roster.json")
    parser.add_argument("--speed", type=Path, default=RESULTS / "step_speed.json")
    parser.add_argument("--measured", type=Path, default=MEASURED, help="written")
    parser.add_argument("--pages", type=Path, default=PAGES, help="folder of pages to renew")
    args = parser.parse_args()
    seconds = json.loads(args.speed.read_text())["seconds"] if args.speed.exists() else {}
    content = published(json.loads(args.roster.read_text()), seconds)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    args.measured.write_text(text, encoding="utf8")
    for page in sorted(args.pages.glob("*.md")):
        page.write_text(with_tables(page.read_text("utf8"), content), encoding="utf8")
    print(f"written to {args.measured} and {args.pages}")


if __name__ == "__main__":
    main()
