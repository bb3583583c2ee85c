"""The page shows what was hidden and what was guessed, of every kind, right or wrong."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report_material import Seen, a_run
from sight_material import KINDS, guesses_of_kind

import selftime as st
from selftime.data.signals import Text
from selftime.engine.guesses import Guesses
from selftime.report.page.content import Content
from selftime.report.page.hiding import hidden_parts
from selftime.report.page.page import page
from selftime.report.pictures.texts import guessed_text


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_shown(name):
    found = guesses_of_kind(name)
    parts = hidden_parts(found)
    looks = {"text": "text", "film": "strip", "images": "picture", "sound": "picture"}
    assert parts.look == looks.get(name, "curve") and len(parts.rows) == 3
    for row in parts.rows:
        if parts.look == "curve":
            (lane,) = row.lanes
            assert all(re.fullmatch(r"[ML h\d.-]+", path) for path in lane)
        else:
            titles = [title for title, _ in row.sights]
            assert titles == ["as it is", "as it was seen", "filled in"][-len(titles) :]
            assert len({one.picture or one.text for _, one in row.sights}) == len(titles)
    seen = Seen(page(Content(run=a_run(), guesses=found)))
    assert "What was hidden, and what was guessed" in seen.words and parts.figure in seen.words
    assert [a["href"] for a in seen.all("a") if a["href"] == "#hidden"]
    assert all(picture["alt"].startswith("it ") for picture in seen.all("img"))


@pytest.mark.parametrize("name", KINDS)
def test_guesses_have_a_picture(name):
    figure = st.plot(guesses_of_kind(name))
    figure.canvas.draw()
    words = {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))}
    assert "What was hidden, and what was guessed" in words
    curves = name in ("series", "wave")
    assert len(figure.axes) == (3 if curves else 9)
    assert ({"as it is", "as it was seen", "filled in"} <= words) is not curves
    if name == "text":
        assert any("≠" in word for word in words) and any("▁" in word for word in words)


def test_a_page_without_guesses_has_no_such_section():
    assert "was hidden" not in page(Content(run=a_run()))


def test_right_and_wrong_guesses_differ_in_letters():
    kind = Text(vocabulary=("a", "b", " ", "\n"))
    whole = np.array([0.0, 1, 2, 3, 0, 0])
    filled = np.array([0.0, 0, 2, 1, 0, 0])
    hidden = np.array([False, True, True, True, False, False])
    found = guessed_text(whole, filled, hidden, kind, 5)
    assert "".join(piece.text for piece in found) == "a[a≠b][␣][b≠↵]a…"
    assert [piece.kind for piece in found] == ["", "wrong", "right", "wrong", "", ""]
    words = Text(vocabulary=tuple(map(chr, range(256))), level="bytes")
    bytes_of = np.array(list("aé!".encode()), float)
    found = guessed_text(bytes_of, bytes_of, np.array([True, False, False, False]), words, 9)
    assert found == [("[a]", "right"), ("é!", "")]


def test_symbols_guessed_right_are_counted_beside_the_most_frequent():
    kind = Text(vocabulary=("a", "b", "c"))
    whole = st.SeriesSet.of([[0.0, 0, 1, 2, 0, 1]])
    made = st.SeriesSet.of([[np.nan, np.nan, 1, 1, 0, np.nan]])
    found = Guesses(whole=replace(whole, kind=kind), made=replace(made, kind=kind))
    assert hidden_parts(found).figure == (
        "Of 3 hidden symbols 2 are guessed right; the most frequent symbol in their place would be "
        "right 1 time."
    )


def test_errors_stand_beside_those_of_the_mean():
    """Two channels of different units count the same."""
    whole = np.array([[[0.0, 2.0, 4.0, 0.0], [0.0, 200.0, 400.0, 0.0]]])
    made = np.full_like(whole, np.nan)
    made[0, :, 2] = [3.0, 400.0]
    found = hidden_parts(Guesses(whole=st.SeriesSet.of(whole), made=st.SeriesSet.of(made)))
    mean = 2 / 3
    first = (4 - 3) ** 2 / (4 - mean) ** 2
    assert f"of the guesses is {(first + 0) / 2:.2g} times that of the mean" in found.figure
    flat = np.ones((1, 1, 4))
    part = np.where(np.arange(4) == 1, 1.0, np.nan)[None, None]
    none = hidden_parts(Guesses(whole=st.SeriesSet.of(flat), made=st.SeriesSet.of(part)))
    assert none.figure == ""  # nothing to be guessed


def test_lanes_hold_the_guess_where_it_was_hidden():
    whole = st.SeriesSet.of([[0.0, 1.0, 2.0, 3.0]])
    made = st.SeriesSet.of([[np.nan, np.nan, 0.0, np.nan]])
    ((lane,),) = [row.lanes for row in hidden_parts(Guesses(whole=whole, made=made)).rows]
    assert lane.seen.startswith("M0 960L333") and lane.seen.count("M") == 2
    assert lane.hidden == "M667 347h0" and lane.guess == "M667 960h0"
