"""Missing values filled in, beside plain ways and a Transformer: `python -m benchmarks.impute`.

Fitted on the training part, judged on the test part; both in units of the mean and deviation of
the training part. ETT sets by their usual borders, NATOPS by its official split, NYCTaxi 70, 10 and
20 % (validation parts are not used). Hidden in the test part, by seeds 0, 1, …:

- points: every value by itself, 12.5, 25, 37.5 and 50 % of them;
- blocks: a quarter of each channel, in blocks of one length, each channel by itself;
- rows: the same blocks in all channels at once.

Rows of the table: straight lines; the last value; the mean; lines between steps a season apart (a
day, and a week); straight lines through what is left of the mean day; the weighted mean of the 10
nearest of 2,000 training windows (KNNImputer of scikit-learn); a Transformer of patches of this
package trained by masked_values on windows of the training part, with masks like those of the test;
and ours, fitted on the training part, and on nothing but the test part with its holes.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.csv as pc
import torch
from sklearn.impute import KNNImputer

import selftime as st
from benchmarks.open_data import load, root
from selftime.data.batch import Batch
from selftime.data.scaling import Unscaled
from selftime.data.signals import Measurements
from selftime.encoders.builders import build_encoder
from selftime.engine.model import current_versions
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.trainer import Trainer
from selftime.objectives.masked_values import MaskedValues
from selftime.objectives.patches import guess_at
from selftime.views.draws import uniform
from selftime.views.masks import BlockMask, EachChannel

RESULTS = Path(__file__).parent / "results"
Series = list[np.ndarray]
"""Arrays (T,C)."""
SHARES = (0.125, 0.25, 0.375, 0.5)
CLASSICAL = (
    *("straight lines", "last value", "mean", "season, day", "season, week"),
    *("mean day and lines", "nearest windows"),
)
LEVELS = (0.025, 0.1, 0.9, 0.975)


class Part(NamedTuple):
    """A data set: both parts, the season (0 for none), lengths of blocks, steps of a window."""

    train: Series
    test: Series
    season: int
    blocks: tuple[int, ...]
    window: int


def part_named(name: str) -> Part:
    """The parts of a set, in units of the training part."""
    if name == "NATOPS":
        train, test = ([s.series(i).T for i in range(len(s))] for s in load(name))
        season, blocks, window = 0, (8, 16, 25), 51
    elif name == "NYCTaxi":
        x = st.sample(name).values[0].T
        train, test = [x[: len(x) * 7 // 10]], [x[len(x) - len(x) * 2 // 10 :]]
        season, blocks, window = 48, (12, 48, 144), 96
    else:
        k = 4 if name == "ETTm1" else 1
        table = pc.read_csv(root() / "forecasting" / f"{name}.csv.gz").drop_columns(["date"])
        x = np.stack([column.to_numpy() for column in table.columns], axis=1)
        train, test = [x[: 8640 * k]], [x[11520 * k : 14400 * k]]
        season, blocks, window = 24 * k, (6 * k, 24 * k, 72 * k), 96
    whole = np.concatenate(train).astype(np.float64)
    mean, sd = whole.mean(axis=0), whole.std(axis=0)
    train, test = ([(x - mean) / sd for x in part] for part in (train, test))
    return Part(train, test, season, blocks, window)


def hide(part: Series, kind: str, amount: float, seed: int) -> Series:
    """Where values stay observed, (T,C) for each series."""
    rng, out = np.random.default_rng(seed), []
    for x in part:
        T, C = x.shape
        if kind == "points":
            out.append(rng.random((T, C)) >= amount)
            continue
        length = min(int(amount), T // 2)
        count = max(round(0.25 * T / length), 1)
        seen = np.ones((T, C), bool)
        for c in range(C if kind == "blocks" else 1):
            first = np.sort(rng.integers(0, T - count * length + 1, count))
            rows = (first + np.arange(count) * length)[:, None] + np.arange(length)
            seen[rows.ravel(), c if kind == "blocks" else slice(None)] = False
        out.append(seen)
    return out


def lines(x: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Straight lines; the mean, 0, where a channel has no value."""
    out = np.zeros_like(x)
    for c in range(x.shape[1]):
        at = np.flatnonzero(seen[:, c])
        if len(at):
            out[:, c] = np.interp(np.arange(len(x)), at, x[at, c])
    return out


def last_value(x: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The last value; before the first, the next."""
    at = np.maximum.accumulate(np.where(seen, np.arange(len(x))[:, None], -1), axis=0)
    at = np.where(at < 0, seen.argmax(axis=0), at)
    return np.where(seen.any(axis=0), np.take_along_axis(x, at, axis=0), 0.0)


def by_season(x: np.ndarray, seen: np.ndarray, season: int) -> np.ndarray:
    """Straight lines between steps that are whole seasons apart."""
    out = np.empty_like(x)
    for phase in range(season):
        out[phase::season] = lines(x[phase::season], seen[phase::season])
    return out


def classical_rows(part: Part) -> dict[str, Callable[[Series, Series], Series]]:
    """The plain ways by name."""

    def each(fill: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Any:
        return lambda xs, seen: [fill(x, o) for x, o in zip(xs, seen, strict=True)]

    rows: dict[str, Any] = {
        "straight lines": each(lines),
        "last value": each(last_value),
        "mean": each(lambda x, seen: np.zeros_like(x)),  # noqa: ARG005
        "nearest windows": lambda xs, seen: nearest_windows(part, xs, seen),
    }
    if S := part.season:
        train = part.train[0]
        day = np.stack([train[k::S].mean(axis=0) for k in range(S)])
        # tests begin at whole days after the training part, but for NYCTaxi
        shift = {8640: 0, 34560: 0}.get(len(train), (10320 - 10320 * 2 // 10) % S)

        def mean_day(x: np.ndarray, seen: np.ndarray) -> np.ndarray:
            usual = day[(np.arange(len(x)) + shift) % S]
            return lines(x - usual, seen) + usual

        rows["season, day"] = each(lambda x, seen: by_season(x, seen, S))
        rows["season, week"] = each(lambda x, seen: by_season(x, seen, 7 * S))
        rows["mean day and lines"] = each(mean_day)
    return rows


def cut(xs: Series, width: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Windows (M,W,C) that cover series, and the series and step at which each begins."""
    places = [
        (i, s)
        for i, x in enumerate(xs)
        for s in [*range(0, len(x) - width + 1, width), len(x) - width]
    ]
    return np.stack([xs[i][s : s + width] for i, s in places]), places


def joined(made: np.ndarray, places: list[tuple[int, int]], xs: Series) -> Series:
    """Series from windows; where two cover a step the last counts."""
    out = [x.copy() for x in xs]
    for one, (i, s) in zip(made, places, strict=True):
        out[i][s : s + made.shape[1]] = one
    return out


def train_windows(part: Part, width: int, count: int) -> np.ndarray:
    """About so many windows of the training part, evenly spread."""
    step = max(sum(map(len, part.train)) // count, 1)
    return np.stack(
        [x[s : s + width] for x in part.train for s in range(0, len(x) - width + 1, step)]
    )


def nearest_windows(part: Part, xs: Series, seen: Series) -> Series:
    """The mean of the 10 nearest training windows, weighted by distance."""
    width = part.season or part.window
    known = train_windows(part, width, 2000).reshape(-1, width * xs[0].shape[1])
    imputer = KNNImputer(n_neighbors=10, weights="distance").fit(known)
    holed, places = cut([np.where(o, x, np.nan) for x, o in zip(xs, seen, strict=True)], width)
    made = imputer.transform(holed.reshape(len(holed), -1))
    return joined(made.reshape(holed.shape), places, xs)


@dataclass(frozen=True)
class TestMasks:
    """Masks like those of the test: points, blocks by channel, blocks of all channels, in turn."""

    def __call__(self, x: Batch, rng: torch.Generator) -> torch.Tensor:
        """Return what is kept, a third of the batch for each kind."""
        kinds = (
            EachChannel(mask=BlockMask(share=0.3, mean=1.0)),
            EachChannel(mask=BlockMask(share=0.3, mean=16.0)),
            BlockMask(share=0.3, mean=16.0),
        )
        kept = [mask(x, rng) for mask in kinds]
        kept[2] = kept[2][:, None].expand_as(kept[0])
        which = (3 * uniform(len(x.values), rng=rng, like=x.values)).long().clamp(max=2)
        return torch.stack(kept)[which, torch.arange(len(which))]


def masked_transformer(part: Part, minutes: float, seed: int) -> Callable[[Series, Series], Series]:
    """Train masked_values on windows of the training part; the guess of its head fills holes."""
    width, C = part.window, part.train[0].shape[1]
    known = train_windows(part, width, 20_000)
    encoder = build_encoder("transformer", kind=Measurements(), channels=C, length=width, seed=seed)
    objective = MaskedValues(encoder=encoder, mask=TestMasks(), seed=seed)
    series = st.SeriesSet.of(known.transpose(0, 2, 1).astype(np.float32))
    budget = Budget(amount=minutes, unit="minutes")
    trainer = Trainer(objective, series, Unscaled(), budget, TrainingConfig(), seed)
    while not trainer.is_done:
        trainer.advance()
    objective.eval()

    def fill(xs: Series, seen: Series) -> Series:
        values, places = cut(xs, width)
        kept = torch.from_numpy(cut(seen, width)[0].transpose(0, 2, 1))
        whole = torch.from_numpy(values.transpose(0, 2, 1)).float()
        made = []
        with torch.no_grad():
            for first in range(0, len(whole), 256):
                x, own = whole[first : first + 256], kept[first : first + 256]
                shown = Batch(x.masked_fill(~own, 0.0), own)
                said = objective.head.content.guesses(objective.head(encoder(shown)))
                made.append(guess_at(Batch(x, torch.ones_like(own)), shown, said).made)
        return joined(torch.cat(made).double().numpy().transpose(0, 2, 1), places, xs)

    return fill


def errors(part: Part, seen: Series, made: Series) -> dict[str, float]:
    """Mean squared and absolute error of what was hidden."""
    e = np.concatenate([(m - x)[~o] for m, x, o in zip(made, part.test, seen, strict=True)])
    return {"mse": float(np.square(e).mean()), "mae": float(np.abs(e).mean())}


def ours(imputer: st.Imputer, part: Part, seen: Series) -> dict[str, float]:
    """Errors, and shares of what was hidden in the intervals."""
    start = time.perf_counter()
    holed = [np.where(o, x, np.nan).T for x, o in zip(part.test, seen, strict=True)]
    found = imputer.imputation(st.SeriesSet.of(holed))
    seconds = time.perf_counter() - start
    made = np.split(found.spread(found.values), found.series.offsets[1:-1])
    truth = np.concatenate(part.test)[found.missing]
    q = found.quantiles
    return errors(part, seen, made) | {
        "in 80 %": float(((q[:, 1] <= truth) & (truth <= q[:, 2])).mean()),
        "in 95 %": float(((q[:, 0] <= truth) & (truth <= q[:, 3])).mean()),
        "seconds": seconds,
    }


def measured(name: str, seeds: int, alone: int, minutes: float) -> dict[str, Any]:
    """Every row at every way of hiding, a list over seeds for each figure.

    The row that is fitted on holes alone is measured for the first ``alone`` seeds.
    """
    part = part_named(name)
    rows = classical_rows(part)
    start = time.perf_counter()
    own = st.Imputer(quantiles=LEVELS, progress=False)
    own.fit(st.SeriesSet.of([x.T for x in part.train]))
    out: dict[str, Any] = {"seeds": seeds, "minutes": minutes}
    out |= {"seconds to fit": time.perf_counter() - start, "hidden": {}}
    if minutes:
        rows["masked Transformer"] = masked_transformer(part, minutes, 0)
    ways = [("points", s) for s in SHARES]
    ways += [(kind, L) for kind in ("blocks", "rows") for L in part.blocks]
    if part.test[0].shape[1] == 1:
        ways = [way for way in ways if way[0] != "rows"]
    for kind, amount in ways:
        found: dict[str, list[dict[str, float]]] = {}
        for seed in range(seeds):
            seen = hide(part.test, kind, amount, seed)
            for row, fill in rows.items():
                found.setdefault(row, []).append(errors(part, seen, fill(part.test, seen)))
            found.setdefault("ours", []).append(ours(own, part, seen))
            if seed >= alone:
                continue
            start = time.perf_counter()
            holed = [np.where(o, x, np.nan).T for x, o in zip(part.test, seen, strict=True)]
            other = st.Imputer(quantiles=LEVELS, progress=False).fit(st.SeriesSet.of(holed))
            spent = time.perf_counter() - start
            one = ours(other, part, seen)
            found.setdefault("ours, from the holes alone", []).append(
                one | {"seconds": one["seconds"] + spent}
            )
        table = {
            row: {key: [one[key] for one in each] for key in each[0]} for row, each in found.items()
        }
        out["hidden"][f"{kind} {amount:g}"] = table
        print(name, kind, amount, gain_in_words(table), flush=True)
    return out


def gain_in_words(table: dict[str, Any]) -> str:
    """Errors of ours and of the best plain way, and how much less ours is."""
    name = min((r for r in CLASSICAL if r in table), key=lambda r: float(np.mean(table[r]["mse"])))
    best, own = np.array(table[name]["mse"]), np.array(table["ours"]["mse"])
    gain = 100 * (1 - own / best)
    se = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
    inside = [100 * float(np.mean(table["ours"][f"in {n} %"])) for n in (80, 95)]
    return (
        f"{own.mean():.4f}, {name} {best.mean():.4f}: {gain.mean():.0f} ± {se:.0f} % less; "
        f"in intervals {inside[0]:.0f}, {inside[1]:.0f} %"
    )


ROWS = (*CLASSICAL, "masked Transformer", "ours", "ours, from the holes alone")


def table_of(sets: dict[str, Any]) -> str:
    """Mean squared errors as Markdown."""
    head = "| set, hidden | " + " | ".join(ROWS) + " | less than the best plain | in 80, 95 % |"
    out = [head, "|---" * (len(ROWS) + 3) + "|"]
    for name, found in sets.items():
        for way, table in found["hidden"].items():
            mse = {r: float(np.mean(table[r]["mse"])) if r in table else np.nan for r in ROWS}
            cells = ["–" if np.isnan(mse[r]) else f"{mse[r]:.4f}" for r in ROWS]
            words = gain_in_words(table).split(": ")[1]
            less, inside = words.split(" less; in intervals ")
            out.append(f"| {name}, {way} | " + " | ".join(cells) + f" | {less} | {inside} |")
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = ["ETTh1", "ETTm1", "NATOPS", "NYCTaxi"]
    parser.add_argument("--sets", nargs="+", default=known, choices=known)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--alone", type=int, default=1, help="seeds of ours from the holes alone")
    parser.add_argument("--minutes", type=float, default=3.0, help="of the Transformer; 0: none")
    parser.add_argument("--out", type=Path, default=RESULTS / "impute.json")
    args = parser.parse_args()
    sets = json.loads(args.out.read_text())["sets"] if args.out.exists() else {}
    for name in args.sets:
        sets[name] = measured(name, args.seeds, args.alone, args.minutes)
        said = {"made_with": current_versions() | {"threads": str(torch.get_num_threads())}}
        said |= {"sets": sets}
        args.out.write_text(json.dumps(said, indent=1) + "\n")
    print(table_of(sets))


if __name__ == "__main__":
    main()
