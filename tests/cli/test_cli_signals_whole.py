"""Pictures and texts from the command line: pretrain, compare, classify, inspect their views."""

import json

import numpy as np
import pytest
from kind_toys import LETTERS, PICTURE, series_of
from typer.testing import CliRunner

import selftime as st
from selftime.cli import app
from selftime.data.pixels import patches_to_pixels


def run(*words: str) -> str:
    """What a command prints; it must go well."""
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == 0, found.output
    return found.stdout


def picture_folder(place, count: int, seed: int):
    """Pictures in folders that name their classes."""
    from PIL import Image

    x = series_of("images", count, seed=seed)
    pixels = np.asarray(patches_to_pixels(np.asarray(x.values), PICTURE))[:, 0]
    for k, (one, label) in enumerate(zip(pixels, x.labels, strict=True)):
        (place / str(label)).mkdir(parents=True, exist_ok=True)
        grey = np.clip(60 + 60 * one, 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(place / str(label) / f"{k}.png")
    return place


def text_folder(place, count: int, seed: int):
    """Texts in folders that name their classes."""
    x = series_of("text", count, seed=seed)
    for k, label in enumerate(x.labels):
        (place / str(label)).mkdir(parents=True, exist_ok=True)
        text = "".join(LETTERS[int(symbol)] for symbol in x.series(k)[0])
        (place / str(label) / f"{k}.txt").write_text(text)
    return place


MAKERS = {
    "images": (picture_folder, ("--patch", "2"), "raw values"),
    "text": (text_folder, (), "TF-IDF + ridge"),
}


@pytest.mark.late
@pytest.mark.parametrize("kind", MAKERS)
def test_the_whole_way_from_a_folder_to_classes(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("selftime.tasks.transfer.scratch.MAX_TRAINING_STEPS", 2)
    make, more, row = MAKERS[kind]
    train, test = (str(make(tmp_path / p, n, n)) for p, n in (("train", 24), ("test", 12)))
    out, sets = str(tmp_path / "run"), ("--train", train, "--test", test, *more)
    said = run("pretrain", train, "--budget", "1 step", "--hold-out", "0.25", "--out", out, *more)
    assert "hold out: 0.25 (given)" in said
    assert st.load(out).kind.name == kind and st.read_run(out).metrics[1]["held_out_loss"] > 0
    few = ("--labels-per-class", "4", "--draws", "1", "--model", out, "--json")
    found = json.loads(run("compare", *sets, *few))
    assert found["accuracy"][row]["4 labels per class"] >= 0.9
    table = str(tmp_path / "classes.csv")
    classes = json.loads(run("classify", out, *sets, "--out", table, "--json"))
    assert classes["accuracy"] >= 0.8, classes
