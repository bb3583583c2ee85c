"""Pictures, texts, sounds and films through the options of the commands."""

import json

import numpy as np
import pytest
from media_material import film, picture, ramp, tone, wav
from typer.testing import CliRunner

from selftime.cli import app

pytestmark = pytest.mark.late


def inspect(*words, code=0):
    result = CliRunner().invoke(app, ["inspect", *map(str, words)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture
def pictures(tmp_path):
    for i in range(6):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(ramp(12, 20) + np.uint8(i)))
    return tmp_path


def test_a_folder_of_pictures(pictures):
    said = inspect(pictures)
    assert "pictures 6 of 12 x 20 pixels, in colour, as 15 patches of 4 x 4" in said
    assert "labels 2 classes (series): a (3), b (3)" in said and "--kind" in said
    said = inspect(pictures, "--size", "8x12", "--patch", "2")
    assert "6 of 8 x 12 pixels, in colour, as 24 patches of 2 x 2" in said
    found = json.loads(CliRunner().invoke(app, ["inspect", str(pictures), "--json"]).stdout)
    assert found["kind"] == "images" and found["about"]["pictures"].startswith("6 of 12 x 20")
    assert "films 2 of 3 frames, 1.2 seconds in all (0.6 each)" in inspect(
        pictures, "--kind", "film", "--rate", "5"
    )


def test_texts_sounds_and_films(tmp_path):
    (tmp_path / "a.txt").write_text("To be, or not to be: that is the question.\n")
    assert "vocabulary 256 bytes" in inspect(tmp_path / "a.txt", "--symbols", "bytes")
    (tmp_path / "a.wav").write_bytes(wav(tone(300)))
    assert "--kind sound reads frames of its spectrum" in inspect(tmp_path / "a.wav")
    said = inspect(tmp_path / "a.wav", "--kind", "sound")
    assert "sounds 1, 0.1 seconds frames 100 a second, 64 mel bands, from 8,000 Hz" in said
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_bytes(film(np.stack([ramp(32, 32)] * 5)))
    assert "films 1 of 5 frames, 0.2 seconds" in inspect(tmp_path / "a.mp4", "--size", "16")


@pytest.mark.parametrize(
    "words, message",
    [
        (["--kind", "pictures"], "Invalid value for '--kind'"),
        (["--size", "big"], "got --size big, wanted pixels of the longer side such as 64"),
        (["--kind", "sound"], "holds no file of sound, wanted some"),
    ],
)
def test_options_out_of_range(pictures, words, message):
    assert message in inspect(pictures, *words, code=2)
