"""Series of every kind are shown as what they are: pixels where they belong, texts as texts."""

import io
import json
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from judged_material import judged_pair
from PIL import Image
from report_material import Seen, a_run, some_vectors
from sight_material import HOSTILE_TEXT, KINDS, LETTERS, series_of_kind

import selftime as st
from selftime.data.signals import Images, Sound, Text
from selftime.report.page.content import Content
from selftime.report.page.evaluation import mistake_gallery
from selftime.report.page.gallery import gallery
from selftime.report.page.page import facts, page
from selftime.report.page.pointmap import MOST_VALUES
from selftime.report.page.sights import address_of, shrink, sight_of
from selftime.report.pictures.maps import embedding_map
from selftime.report.pictures.signals import (
    band_ticks,
    extent_of,
    pixels_of,
    ranges_of,
)
from selftime.report.pictures.texts import Piece, fit_text, pieces_of, text_of
from selftime.views.registry import VIEWS

ALL = pytest.mark.parametrize("name", KINDS)
OTHERS = pytest.mark.parametrize("name", ["images", "text", "sound", "film"])
UNIT = np.array([[0.0, 1.0]])


def opened_picture(address: str) -> np.ndarray:
    """The pixels that an address holds."""
    head, _, data = address.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    return np.asarray(Image.open(io.BytesIO(b64decode(data))).convert("RGB"))


def test_a_picture_has_every_pixel_in_its_place():
    kind = KINDS["images"]
    values = np.random.default_rng(0).random((12, 6))
    found = pixels_of(values, kind, UNIT)
    for row in range(4):
        for column in range(6):
            patch = 3 * (row // 2) + column // 2
            for colour in range(3):
                channel = 4 * colour + 2 * (row % 2) + column % 2
                assert found[row, column, colour] == round(255 * values[channel, patch])


def test_frames_stand_in_rows_from_first_to_last():
    kind = KINDS["film"]
    values = np.random.default_rng(0).random((36, 9))
    found = pixels_of(values, kind, UNIT, frames=4, across=3)
    assert found.shape == (3 + 1 + 3, 4 + 1 + 4 + 1 + 4, 3)
    for k, t in enumerate((0, 3, 5, 8)):
        row, column = 4 * (k // 3), 5 * (k % 3)
        frame = values[:, t].reshape(3, 3, 4).transpose(1, 2, 0)
        shown = found[row : row + 3, column : column + 4]
        np.testing.assert_array_equal(shown, np.rint(255 * frame))
    assert (found[3] == 138).all() and pixels_of(values, kind, UNIT, frames=1).shape == (3, 4, 3)


def test_low_bands_are_below_and_loud_is_bright():
    values = np.zeros((5, 40))
    values[0] = 1.0
    found = pixels_of(values, KINDS["sound"], UNIT)
    assert found.shape == (5, 40, 3) and found[4].mean() > 180 > 10 > found[:4].mean()
    with pytest.raises(TypeError, match="got series of kind 'wave', wanted images, film or sound"):
        pixels_of(values, KINDS["wave"], UNIT)


@pytest.mark.parametrize("name", ["images", "sound", "film"])
def test_missing_pixels_are_blue_in_a_grey_picture(name):
    series = series_of_kind(name, gap=True)
    grey = np.full_like(series.series(0), 0.5)
    whole = pixels_of(grey, series.kind, UNIT)
    grey[np.isnan(series.series(0))] = np.nan
    found = pixels_of(grey, series.kind, UNIT)
    changed = (found != whole).any(axis=2)
    assert 0 < changed.sum() < changed.size
    assert (found[changed][:, 2] > found[changed][:, 0].astype(int) + 20).all()


def test_all_pixels_share_their_ends():
    series = series_of_kind("images", gap=True)
    values = series.values[np.isfinite(series.values)]
    np.testing.assert_allclose(ranges_of(series), [[values.min(), values.max()]])
    loud = ranges_of(series_of_kind("sound"))
    np.testing.assert_allclose(loud, [np.quantile(series_of_kind("sound").values, [0.005, 0.995])])
    assert ranges_of(series_of_kind("series")).shape == (1, 2)
    flat = replace(st.SeriesSet.of(np.ones((2, 12, 6))), kind=KINDS["images"])
    assert ranges_of(flat).tolist() == [[1, 2]]


def test_texts_are_symbols_with_gaps_and_an_end():
    kind = Text(vocabulary=("a", "b", "\x1b", "\n"))
    values = np.array([1, 0, np.nan, 2, 3, 1])
    assert text_of(values, kind, 9) == "ba▁\\u001b\nb"
    assert text_of(values, kind, 2) == "ba…" and text_of(values[:2], kind, 2) == "ba"
    assert fit_text("to be or not to be", 30, 1) == "to be or not to be"
    assert fit_text("to be or not to be", 6, 2) == "to be\nor no…"
    assert fit_text("to be or not to be, that is it", 20, 1) == "to be or not to be,…"


def test_pieces_say_what_is_hidden():
    kind = Text(vocabulary=("a", "b", "c"))
    values = np.array([0, 1, np.nan, np.nan, 2, 0])
    assert pieces_of(values, kind, 5) == [("ab", ""), ("▁▁", "hidden"), ("c", ""), Piece("…")]
    assert pieces_of(values[2:4], kind, 5) == [("▁▁", "hidden")]


@pytest.mark.parametrize(
    ("kind", "T", "words"),
    [
        (KINDS["series"], 1, "1 step"),
        (KINDS["series"], 1200, "1,200 steps"),
        (KINDS["images"], 6, "4 × 6 pixels"),
        (KINDS["text"], 40, "40 symbols"),
        (KINDS["sound"], 40, "0.4 s"),
        (KINDS["wave"], 40, "0.4 s"),
        (KINDS["film"], 9, "9 frames, 0.9 s"),
    ],
)
def test_length_in_the_words_of_a_kind(kind, T, words):
    assert extent_of(kind, T) == words


def test_bands_are_named_by_their_frequency():
    kind = Sound(rate=16_000, bands=64)
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    for at, text in band_ticks(kind):
        share = mel(1000 * float(text)) / mel(8000)
        assert at == pytest.approx(min(65 * share - 1, 63.5))  # the edges are no bands
    assert [text for _, text in band_ticks(kind)] == ["2", "4", "8"]


@pytest.mark.parametrize(("height", "width"), [(28, 28), (300, 20), (2, 9000), (1, 1)])
def test_pictures_are_small_and_hold_what_they_show(height, width):
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = 255
    small = shrink(pixels, 1000)
    assert small.shape[0] * small.shape[1] <= 1100
    assert height * width > 1000 or small is pixels
    np.testing.assert_allclose(opened_picture(address_of(small)), small, atol=12)
    assert shrink(pixels, 1).shape[0] >= 1


# Pictures


@ALL
def test_a_few_of_every_class(name):
    series = series_of_kind(name, gap=True)
    figure = st.plot(series)
    figure.canvas.draw()
    words = [t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text"))]
    assert {name, "class 0", "class 1"} <= set(words)
    curves = name in ("series", "wave")
    assert len(figure.axes) == (2 if curves else 6)
    if name in ("images", "sound", "film"):
        assert all(len(axes.images) == 1 for axes in figure.axes)
    if name == "sound":
        assert {"kHz", "0.4 s", "4"} <= set(words)
    if name == "text":
        assert sum("▁" in word for word in words) == 1


@ALL
def test_a_map_with_series_of_every_kind(name):
    series = series_of_kind(name)
    figure = embedding_map(some_vectors(6), series, title="t")
    chips = figure.axes[0].child_axes
    assert len(chips) == 6
    filled = {"series": "lines", "wave": "lines", "text": "texts"}.get(name, "images")
    assert all(len(getattr(chip, filled)) >= 1 for chip in chips)


# The page


def data_of(text: str) -> dict:
    return json.loads(re.search(r'id="series">(.*?)</script>', text).group(1))


@OTHERS
def test_the_page_holds_every_series(name):
    series = series_of_kind(name, gap=True)
    views = {"span_mask": VIEWS["span_mask"], "reverse": VIEWS["reverse"]}
    text = page(Content(run=a_run(), series=series, vectors=some_vectors(6), views=views))
    data = data_of(text)
    assert len(data["texts"] if name == "text" else data["pictures"]) == 6
    assert data["extents"] == [extent_of(series.kind, T) for T in series.lengths.tolist()]
    seen = Seen(text)
    for picture in seen.all("img"):
        assert opened_picture(picture["src"]).size and picture["alt"].startswith("it ")
    assert len(seen.all("img")) == (0 if name == "text" else 2 * (4 + 1))
    assert {"before", "after"} <= set(seen.texts)
    assert len(seen.all("script")) == 2 and "</script>" not in json.dumps(data["extents"])


def test_pictures_of_the_map_are_the_series():
    series = series_of_kind("images")
    data = data_of(page(Content(run=a_run(), series=series, vectors=some_vectors(6))))
    assert data["look"] == "sharp" and data["legend"] == ""
    for i, address in enumerate(data["pictures"]):
        wanted = pixels_of(series.series(i), series.kind, ranges_of(series))
        np.testing.assert_array_equal(opened_picture(address), wanted)
    text = data_of(
        page(Content(run=a_run(), series=series_of_kind("text"), vectors=some_vectors(6)))
    )
    assert text["texts"][1] == HOSTILE_TEXT[:40] and set("".join(text["texts"])) <= set(LETTERS)


@pytest.mark.late
@pytest.mark.parametrize("kind", [Images(height=32, width=32, colours=3), KINDS["text"]])
def test_a_page_of_many_stays_small(kind):
    rng = np.random.default_rng(0)
    if kind.symbols:
        x = rng.integers(0, kind.symbols, (3000, 1, 300)).astype(np.float32)
    else:
        x = rng.random((3000, 48, 64), np.float32)
    series = replace(st.SeriesSet.of(x), kind=kind)
    text = page(Content(run=a_run(), series=series, vectors=some_vectors(3000)))
    assert len(text) < 2.2 * MOST_VALUES
    assert len(data_of(text)["extents"]) == 1000


@OTHERS
def test_views_are_shown_in_the_units_of_the_data(name):
    series = series_of_kind(name)
    (it,) = gallery(series, {"as it is": lambda x, rng: x})
    assert it.name == "as it is" and len(it.panels) == 4
    for panel in it.panels:
        before, after = panel.pair
        assert panel.lanes == [] and before == after
    i = [panel.id for panel in it.panels].index("it 0")
    wanted = sight_of(series.series(0), series.kind, ranges_of(series), name="it 0")
    assert it.panels[i].pair[0].alt == wanted.alt
    if name == "text":
        assert it.panels[i].pair[0].text == wanted.text
    else:
        shown, direct = (opened_picture(one.picture) for one in (it.panels[i].pair[0], wanted))
        np.testing.assert_allclose(shown, direct, atol=2)


@OTHERS
def test_mistakes_are_shown_as_their_kind(name):
    train, test, found = judged_pair(4, 15)
    kind = series_of_kind(name, len(train) + len(test))
    train = replace(kind[: len(train)], ids=train.ids, labels=train.labels)
    test = replace(kind[-len(test) :], ids=test.ids, labels=test.labels)
    mistakes = (found.mistakes[0]._replace(like_truth=None), *found.mistakes[1:])
    it = mistake_gallery(replace(found, mistakes=mistakes), (train, test))
    own, _, true = it.drawn[0]
    assert true.sight is None and own.lanes == [] and it.note == ""
    assert bool(own.sight.pieces) == (name == "text")
    content = Content(run=a_run(), evaluation=found, judged_on=(train, test))
    pictures = Seen(page(content)).all("img")
    assert len(pictures) == (0 if name == "text" else 3 * len(it.drawn))


def test_texts_of_other_letters_are_shown_in_their_own():
    train, test, found = judged_pair(2, 6)
    texts = {"abc": train, "xyz": test}
    shown = {
        letters: replace(
            st.SeriesSet.of(np.full((len(own), 5), 2.0), own.labels, ids=own.ids),
            kind=Text(vocabulary=tuple(letters)),
        )
        for letters, own in texts.items()
    }
    it = mistake_gallery(found, (shown["abc"], shown["xyz"]))
    assert [panel.sight.text for panel in it.drawn[0]] == ["zzzzz", "ccccc", "ccccc"]


def test_sizes_are_in_the_words_of_the_kind():
    content = Content(run=a_run() | {"data": {}}, series=series_of_kind("images"))
    assert ("patches each", "6") in facts(content)
