"""The model folder: what is saved comes back, whole or not at all, and embeds the same."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.torch import load_file
from unsigned import unsigned

from selftime.data.arrays import SeriesError
from selftime.data.readers import read
from selftime.data.samples import sample
from selftime.data.series import SeriesSet
from selftime.engine import model as model_file
from selftime.engine.model import ModelError, load
from selftime.engine.pretrain import pretrain

FILES = {"model.safetensors", "seen.safetensors", "config.json", "README.md"}


def ragged(n=12, channels=2, seed=0):
    rng = np.random.default_rng(seed)
    series = [rng.normal(size=(channels, t)).cumsum(axis=1) for t in rng.integers(5, 40, size=n)]
    series[1][0, 2:4] = np.nan
    return SeriesSet.of(series, channels=["left", "right"][:channels])


@pytest.fixture(scope="module")
def model():
    return pretrain(ragged(), encoder="minirocket")


@pytest.fixture
def folder(model, tmp_path):
    return model.save(tmp_path / "mine")


def test_load_gives_back_what_was_saved(model, folder):
    again = load(folder)
    np.testing.assert_array_equal(again.embed(ragged()), model.embed(ragged()))
    assert again.config() == json.loads(json.dumps(model.config()))
    assert again.channels == ("left", "right") and again.dim == model.dim
    assert not again.encoder.training


@pytest.mark.slow  # a process of its own
def test_another_process_embeds_the_same_bits(model, folder, tmp_path):
    x = np.random.default_rng(0).normal(size=(4, 2, 20)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, numpy as np; from selftime.engine.model import load; "
        "np.save(sys.argv[3], load(sys.argv[1]).embed(np.load(sys.argv[2])))"
    )
    paths = [str(folder), str(tmp_path / "x.npy"), str(tmp_path / "z.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), model.embed(x))


def test_a_folder_holds_its_files_and_its_card(model, folder):
    assert {path.name for path in folder.iterdir()} == FILES
    card = (folder / "README.md").read_text()
    assert model.card["data"]["fingerprint"] in card and "left, right" in card


def test_a_run_folder_is_read_through(model, tmp_path):
    model.save(tmp_path / "run" / "model")
    np.testing.assert_array_equal(load(tmp_path / "run").embed(ragged()), model.embed(ragged()))


def test_nothing_is_overwritten_unless_asked(model, folder):
    before = (folder / "config.json").stat().st_mtime_ns
    with pytest.raises(FileExistsError, match="choose another path, or overwrite=True"):
        model.save(folder)
    assert (folder / "config.json").stat().st_mtime_ns == before
    model.save(folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == FILES and load(folder).dim == model.dim


def test_what_is_no_model_is_left_alone(model, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    with pytest.raises(FileExistsError, match="is not a model folder and is left alone"):
        model.save(tmp_path / "thesis", overwrite=True)
    (tmp_path / "file").write_text("words")
    with pytest.raises(FileExistsError, match="is not a model folder and is left alone"):
        model.save(tmp_path / "file", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "words"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_in_the_middle_leaves_nothing_behind(model, tmp_path, monkeypatch, overwrite):
    target = tmp_path / "mine"
    if overwrite:
        model.save(target)
    before = sorted(path.name for path in tmp_path.rglob("*"))

    def full(*_):
        raise OSError("disk is full")

    monkeypatch.setattr(model_file, "card_text", full)  # the last file to be written
    with pytest.raises(OSError, match="disk is full"):
        model.save(target, overwrite=overwrite)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    if overwrite:
        assert load(target).dim == model.dim


def test_a_folder_of_an_older_format_says_what_to_do(model, tmp_path):
    folder = unsigned(model.save(tmp_path / "old"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"format": 1}))
    with pytest.raises(ModelError) as caught:
        load(folder)
    assert str(caught.value) == (
        f"{folder} has format 1, wanted 4: pretrain again, or load it with the version of selftime "
        "that saved it, which its README.md names"
    )
    assert "| selftime | " in (folder / "README.md").read_text()


def test_the_folder_keeps_the_reference_bank(model, tmp_path):
    folder = model.save(tmp_path / "kept")
    assert "reference_bank" in load_file(folder / "model.safetensors")
    np.testing.assert_array_equal(load(folder).reference_bank, model.reference_bank)


def test_batch_size_and_company_do_not_matter(model):
    x = ragged()
    whole = model.embed(x)
    np.testing.assert_allclose(model.embed(x, batch_size=5), whole, atol=1e-5)
    alone = np.concatenate([model.embed(x[i]) for i in range(len(x))])
    np.testing.assert_allclose(alone, whole, atol=1e-5)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(model.embed(x[order]), whole[order], atol=1e-5)


def test_progress_ends_at_the_number_of_series(model):
    told = []
    model.embed(ragged(), batch_size=5, progress=lambda *at: told.append(at))
    assert told == [("embedding", done, 12) for done in (5, 10, 12)]


def test_wrong_channels_are_named(model):
    text = r"got series of 3 channels, wanted 2 \(left, right\): choose the same channels"
    with pytest.raises(SeriesError, match=text):
        model.embed(np.ones((2, 3, 10)))


def test_no_folder_is_an_error_that_says_so(tmp_path):
    with pytest.raises(ModelError, match="is not a model folder: .*config.json is missing"):
        load(tmp_path / "nowhere")


@pytest.mark.late
def test_pictures_in_other_patches_are_read_and_known_again(tmp_path):
    digits = sample("Digits")[:12]
    made = pretrain(digits[:8], objective="spectral", encoder="quantiles", dim=4)
    other = read(digits, patch=4)
    assert made.seen(digits).tolist() == made.seen(other).tolist() == [True] * 8 + [False] * 4
    again = load(made.save(tmp_path / "digits"))
    assert again.kind == digits.kind
    assert np.array_equal(again.embed(other), made.embed(digits))
    with pytest.raises(SeriesError, match="got series, wanted images .*kind='images'"):
        made.embed(read(np.zeros((2, 4, 16))))
