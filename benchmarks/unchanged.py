"""A handful of figures that a redraw of the house must not move, beside those recorded before it.

Few labels on three UCR sets (accuracy, and the sum of log probabilities, which sees every digit),
ETTh1 at 96, anomaly scores of five UCR series, and the weights of a run that was stopped and
resumed, whole and cut. ``--record`` writes the figures, else they are compared.

    python -m benchmarks.unchanged
"""

import argparse
import gzip
import hashlib
import json
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import selftime as st
from benchmarks.open_data import root

RESULTS = Path(__file__).parent / "results" / "unchanged.json"
SETS = ("ItalyPowerDemand", "GunPoint", "SyntheticControl")
SERIES = ("112", "113", "128", "135", "161")
SHOTS = (1, 5, None)
NEAR = 1e-4
"""Relative difference that rounding may make: float32 sums in another order."""


def few_labels(name: str) -> dict[str, Any]:
    """Accuracy and summed log probabilities of one set at 1, 5 and all labels per class."""
    train, test = (
        st.read(next(path for path in folder.iterdir() if part in path.name.upper()))
        for folder in [root() / "ucr" / name]
        for part in ("TRAIN", "TEST")
    )
    model = st.pretrain(train)
    row: dict[str, Any] = {"embed": float(np.abs(model.embed(test)).sum())}
    rng = np.random.default_rng(0)
    for shots in SHOTS:
        rows = np.arange(len(train))
        if shots is not None:
            of_class = (np.flatnonzero(train.labels == c) for c in np.unique(train.labels))
            rows = np.sort(np.concatenate([rng.permutation(each)[:shots] for each in of_class]))
        classifier = st.Classifier(model).fit(train[rows], train[rows].labels)
        right = float((classifier.predict(test) == test.labels).mean())
        logs = np.log(np.clip(classifier.predict_proba(test), 1e-9, 1))
        row[str(shots or "all")] = [right, float(logs.sum())]
    return row


def anomaly(number: str) -> dict[str, Any]:
    """The highest score of a UCR series: where it is, how high, and the sum of all."""
    path = next((root() / "anomaly" / "ucr_anomaly").glob(f"{number}_*"))
    start, values = int(path.stem.split("_")[-3]), np.loadtxt(path)
    detector = st.AnomalyDetector().fit(values[:start][None, None])
    scores = np.asarray(detector.score(values[start:][None, None])[0]).ravel()
    found = {"sum": float(scores.sum()), "max": float(scores.max())}
    return {"argmax": int(scores.argmax()) + start} | found


def forecast() -> dict[str, Any]:
    """Errors on ETTh1 at 96 steps."""
    with (
        gzip.open(root() / "forecasting" / "ETTh1.csv.gz", "rb") as file,
        tempfile.TemporaryDirectory() as to,
    ):
        path = Path(to) / "ETTh1.csv"
        path.write_bytes(file.read())
        found = st.backtest(st.read(path), horizons=(96,), protocol="ett-hourly").to_dict()
    return {"mse": found["mse"]["96"], "mae": found["mae"]["96"]}


def resumed() -> dict[str, str]:
    """Hashes of the weights after 12 steps: in one go, and stopped by Ctrl-C after 5."""
    series, calls = st.sample("JapaneseVowels", "train"), 0

    def stop(what: str, done: int, of: int, detail: str = "") -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            os.kill(os.getpid(), signal.SIGINT)

    def train(run: str, **more: Any) -> st.Model:
        return st.pretrain(series, objective="simclr", budget="12 steps", run=run, **more)

    with tempfile.TemporaryDirectory() as to:
        whole = train(f"{to}/whole")
        try:
            train(f"{to}/cut", progress=stop)
        except KeyboardInterrupt as stopped:
            print(stopped)
        return {"whole": weights(whole), "cut": weights(train(f"{to}/cut"))}


def weights(model: st.Model) -> str:
    """A hash of every weight of a model."""
    tensors = model.encoder.state_dict().values()
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in tensors)).hexdigest()[:16]


def figures() -> dict[str, Any]:
    """All figures."""
    found: dict[str, Any] = {name: few_labels(name) for name in SETS}
    found |= {f"ucr_{number}": anomaly(number) for number in SERIES}
    return found | {"simclr": resumed(), "ETTh1 96": forecast()}


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Every figure that moved by more than rounding."""
    if isinstance(before, dict):
        return [
            line for key in before for line in differences(before[key], now[key], f"{name} {key}")
        ]
    if isinstance(before, list):
        return [line for a, b in zip(before, now, strict=True) for line in differences(a, b, name)]
    same = np.isclose(before, now, rtol=NEAR) if isinstance(before, float) else before == now
    return [] if same else [f"{name}: {before} before, {now} now"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help="write the figures")
    options, now = parser.parse_args(), figures()
    if options.record:
        RESULTS.write_text(json.dumps(now, indent=1) + "\n", encoding="utf8")
        return
    moved = differences(json.loads(RESULTS.read_text(encoding="utf8")), now)
    print("\n".join(moved) or "every figure is the same to rounding")
    raise SystemExit(bool(moved))


if __name__ == "__main__":
    main()
