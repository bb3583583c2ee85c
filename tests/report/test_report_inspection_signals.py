"""Pictures, texts, sounds and films at a glance: their facts, and no warnings of measurements."""

import numpy as np
import pytest
from rich.console import Console

import selftime as st
from selftime.report.inspection import inspect, inspection_table
from selftime.report.signals import facts_of_kind

FACTS = {
    "Digits": {"pictures": "1,797 of 8 x 8 pixels, grey, as 16 patches of 2 x 2"},
    "Speech": {
        "sounds": "160, 60.8 seconds in all (0.16 to 0.83 each)",
        "samples": "8,000 a second",
    },
    "Text": {
        "texts": "1 of 200,375 symbols",
        "vocabulary": "62 characters",
        "commonest": "blank 14.9%, e 8.8%, t 6.1%, o 6.0%, a 4.9%, h 4.7%, s 4.5%, r 4.4%, "
        "n 4.4%, i 4.2%, line end 3.8%, l 2.9%",
    },
    "Film": {
        "films": "1 of 132 frames, 5.3 seconds",
        "frames": "36 x 64 pixels, grey, 25 a second",
    },
}


def text_of(found):
    console = Console(width=160)
    with console.capture() as captured:
        console.print(inspection_table(found))
    return captured.get()


@pytest.mark.parametrize("name", FACTS)
def test_each_kind_in_words(name):
    series = st.sample(name)
    found = inspect(series)
    assert found.about == FACTS[name] and found.to_dict()["about"] == FACTS[name]
    assert found.kind == series.kind.name
    text = text_of(found)
    assert all(fact.split(",")[0] in text for fact in FACTS[name].values())
    for word in ("channels", "constant", "times"):
        assert word not in text
    remedies = {"Text": "windows=128", "Film": "windows=16"}
    assert [warned.remedy.split()[-1] for warned in found.warnings] == [
        remedy for remedy in [remedies.get(name)] if remedy
    ]


def test_frames_of_sound_and_colours():
    frames = st.read("sample:Speech:train", kind="sound")
    assert dict(facts_of_kind(frames))["frames"] == "100 a second, 64 mel bands, from 8,000 Hz"
    film = st.read(np.zeros((2, 3, 4, 5, 3)) + [0.0, 0.5, 1.0], kind="film", rate=10)
    assert facts_of_kind(film) == [
        ("films", "2 of 3 frames, 0.6 seconds in all (0.3 each)"),
        ("frames", "4 x 5 pixels, in colour, 10 a second"),
    ]
    gaps = st.read(["a\ta?", "b"], kind=st.read(["ab\t"], kind="text").kind)
    assert dict(facts_of_kind(gaps))["commonest"] == "a 50.0%, tab 25.0%, b 25.0%"


def test_measurements_stay_as_they_are():
    found = inspect("sample:JapaneseVowels:train")
    assert found.about == {} and found.kind == "series"
    assert "channels" in text_of(found) and "constant" in text_of(found)


def test_long_texts_are_warned_of():
    found = inspect(st.read(["ab" * 600, "c"], kind="text"))
    assert found.warnings[0].finding.startswith("texts have up to 1,200 symbols")
    assert found.warnings[0].remedy == "cut them into windows, windows=128"


def test_twins_among_pictures_are_warned_of():
    pixels = np.zeros((3, 4, 4), np.uint8)
    pixels[2] = 9
    found = inspect(st.read(pixels, kind="images", labels=["a", "b", "b"]))
    assert "1 series equal an earlier one, 1 of them with another label" in str(found.warnings)
