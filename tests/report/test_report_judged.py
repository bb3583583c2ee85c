"""What the page shows of a judged classifier: every figure, readable at any number of classes."""

import re
from dataclasses import replace

import numpy as np
import pytest
from judged_material import TABLE, judged_pair
from report_material import HOSTILE, Seen, a_run, full_content, some_series, some_vectors

from selftime.report.page.calibration import (
    PLOT_SIDE,
    calibration_picture,
    metric_rows,
    wilson_interval,
)
from selftime.report.page.confusion import (
    MAX_CONFUSION_CLASSES,
    confusion_picture,
    frequent_mistakes,
    seriation,
)
from selftime.report.page.content import Content
from selftime.report.page.evaluation import (
    MOST_DRAWN,
    WITHOUT,
    channel_paths,
    evaluation_section,
    mistake_gallery,
)
from selftime.report.page.page import page, template_text
from selftime.report.page.results import strategies_of, strategy_table
from selftime.tasks.comparison.compare import Comparison

# Confusion


@pytest.mark.parametrize("K", [2, 3, 9, 40, 60])
def test_every_count_is_drawn_once_in_a_readable_cell(K):
    _, _, found = judged_pair(K, 4)
    it = confusion_picture(found)
    kept = min(K, MAX_CONFUSION_CLASSES)
    assert len(it.lines) == kept and it.cell >= 22
    rows = {line.middle - it.cell / 2: line.whole for line in it.lines}
    names = found.classes.tolist()
    drawn = {}
    for cell in it.cells:
        k, j = (names.index(rows[min(rows, key=lambda at: abs(at - v))]) for v in (cell.y, cell.x))
        drawn[k, j] = int(cell.series)
        assert (cell.kind == "hit") == (k == j) and 0 < cell.depth <= 0.5
        assert cell.text == f"{cell.series} of 4 series of “{names[k]}” given “{names[j]}”"
    shown = {names.index(line.whole) for line in it.lines}
    wanted = {
        (k, j): int(n) for (k, j), n in np.ndenumerate(found.confusion) if n and {k, j} <= shown
    }
    assert drawn == wanted
    assert ("with most mistakes" in it.caption) == (K > MAX_CONFUSION_CLASSES)


def test_classes_taken_for_one_another_are_neighbours():
    counts = np.diag([20] * 8)
    for k in range(4):
        counts[k, k + 4] = counts[k + 4, k] = 5
    order = seriation(counts, np.arange(8)).tolist()
    assert sorted(order) == list(range(8)) and order[0] < order[-1]
    assert all(abs(order.index(k) - order.index(k + 4)) == 1 for k in range(4))
    np.testing.assert_array_equal(seriation(np.diag([3, 3, 3]), np.arange(3)), [0, 1, 2])


def test_golden_matrix():
    """Origin: worked out by hand; two classes, one of four series of "a" taken for "b"."""
    _, _, found = judged_pair(2)
    truth, given = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1])
    names, chances = np.array(["a", "b" * 20]), np.eye(2)[given]
    found = replace(
        found, classes=names, ids=names[truth], truth=truth, predicted=given, probabilities=chances
    )
    it = confusion_picture(found)
    assert [tuple(cell)[:5] for cell in it.cells] == [
        (0.0, 0.0, "hit", round(0.5 * 0.75**0.5, 3), "3"),
        (56.0, 0.0, "miss", 0.25, "1"),
        (56.0, 56.0, "hit", 0.5, "1"),
    ]
    assert [tuple(line) for line in it.lines] == [
        (28.0, "a", "a", "75 % of 4"),
        (84.0, "b" * 15 + "…", "b" * 20, "100 % of 1"),
    ]
    assert it.alt == "1 of 4 series of “a” were taken for “bbbbbbbbbbbbbbbbbbbb”" and it.slanted


def luminance(colour: np.ndarray) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour / 255]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb_of(text: str) -> np.ndarray:
    """Red, green and blue of "#0b6fb8" or "#fff"."""
    digits = text[1:] if len(text) == 7 else "".join(c + c for c in text[1:])
    return np.array(list(bytes.fromhex(digits)), float)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", ["strong", "alarm"])
def test_counts_can_be_read_on_every_depth_of_colour(dark, kind):
    text = template_text("page.css")
    light, night = text.split("@media (prefers-color-scheme: dark)")[:2]
    named = {"ink": "#22262b", "strong": "#0b6fb8"} | dict(
        re.findall(r"--([\w-]+): (#\w+);", light)
    )
    named |= dict(re.findall(r"--([\w-]+): (#\w+);", night.split("}\n}")[0])) if dark else {}
    rgb = {name: rgb_of(named[name]) for name in ("ink", "wash", kind)}
    for depth in np.linspace(0, 0.5, 11):
        under = depth * rgb[kind] + (1 - depth) * rgb["wash"]
        high, low = sorted([luminance(under), luminance(rgb["ink"])], reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, depth


# Calibration


def test_dots_lie_where_the_bins_are():
    _, _, found = judged_pair(3, 60)
    it = calibration_picture(found)
    for dot, part in zip(it.dots, found.bins, strict=True):
        assert dot.x == pytest.approx(PLOT_SIDE * part.confidence, abs=0.06)
        assert dot.y == pytest.approx(PLOT_SIDE * (1 - part.accuracy), abs=0.06)
        assert dot.top <= dot.y <= dot.bottom
    assert sum(int(row[1]) for row in it.table) == len(found.ids) == 180
    counted = [int(bar.text.split()[0]) for bar in it.bars]
    assert sum(counted) == 180 and it.most == str(max(counted))


def test_wilson_interval_solves_its_equation():
    for share, n in ((0.0, 5), (0.3, 10), (1.0, 7)):
        for end in wilson_interval(share, n):
            if 1e-9 < end < 1 - 1e-9:  # |share − p| = z √(p (1 − p) / n)
                off = abs(share - end) - 1.959964 * (end * (1 - end) / n) ** 0.5
                assert off == pytest.approx(0, abs=1e-9)


def test_the_sentence_says_which_side_and_what_luck_makes():
    _, _, found = judged_pair(3, 60)
    sure = replace(found, probabilities=np.eye(3)[found.predicted])
    wrong = 100 * float((~found.right).mean())
    words = calibration_picture(sure).sentence
    assert words.endswith(f"All in all the classifier is too sure by {wrong:.1f} points.")
    right = replace(sure, truth=sure.predicted)
    assert "nothing speaks against these probabilities" in calibration_picture(right).sentence


# Mistakes


def test_mistakes_are_drawn_with_their_lookalikes():
    train, test, found = judged_pair(4, 15, channels=5)
    it = mistake_gallery(found, (train, test))
    assert len(it.drawn) == MOST_DRAWN and len(it.table) == len(found.mistakes)
    assert it.note == " The first 3 of 5 channels are drawn."
    for panels, mistake in zip(it.drawn, found.mistakes, strict=False):
        assert [p.title for p in panels] == [
            mistake.id, mistake.like_predicted.id, mistake.like_truth.id
        ]  # fmt: skip
        assert all(len(p.lanes) == 3 and all(p.lanes) for p in panels)
        assert panels[1].about.startswith(f"training, {mistake.predicted}: similarity ")
    wrong = int((~found.right).sum())
    assert it.caption.startswith(f"{wrong} of 60 test series were given a wrong class.")


def test_without_series_mistakes_are_told_and_that_is_said():
    _, _, found = judged_pair(4, 15)
    it = mistake_gallery(found, None)
    assert it.drawn == [] and it.note == WITHOUT and len(it.table) == len(found.mistakes)


def test_other_series_than_the_judged_ones_are_refused():
    train, test, found = judged_pair()
    with pytest.raises(ValueError, match="series '2.*' is not among those given: give the data"):
        mistake_gallery(found, (train, train))
    assert test is not train


def test_lanes_share_range_and_steps():
    long, short = np.array([[0.0, 10.0, 5.0]]), np.array([[10.0, np.nan]])
    (first,), (second,) = channel_paths([long, short])
    assert first == "M0 960L500 40 1000 500" and second == "M0 40h0"
    assert channel_paths([np.full((1, 2), np.nan)]) == [[""]]
    assert channel_paths([np.full((1, 2), 7.0)]) == [["M0 500L1000 500"]]


def test_a_class_without_training_series_leaves_its_panel_empty():
    train, test, found = judged_pair()
    mistakes = tuple(m._replace(like_truth=None) for m in found.mistakes)
    it = mistake_gallery(replace(found, mistakes=mistakes), (train, test))
    assert it.drawn[0][2].lanes == [] and it.table[0][5] == "none in training"
    assert it.drawn[0][2].about == f"training has no {mistakes[0].truth}"


# Strategies


def test_strategies_by_number_of_labels():
    it = strategy_table(TABLE)
    assert it.head == ["9 labels", "45 labels", "all"]
    rows = dict(it.rows)
    assert rows["probe"][0] == ("70.0 % (60.0 to 80.0)", True)
    assert rows["full"][1] == ("", False) and rows["full"][2].strong
    assert it.sentences[0] == "With 9 labels: probe, 70.0 % right."
    near = TABLE | {"full": {9: (0.62, 0.5, 0.7)}}
    assert strategy_table(near).sentences[0].endswith("; the intervals of full meet its own.")
    as_json = {name: {str(c): list(v) for c, v in row.items()} for name, row in TABLE.items()}
    assert strategy_table(as_json) == it


def test_strategies_in_percent_are_refused():
    with pytest.raises(ValueError, match="got accuracy 70 with interval 60 to 80, wanted shares"):
        strategy_table({"probe": {9: (70, 60, 80)}})


# Page and card


def judged_content(**parts) -> Content:
    train, test, found = judged_pair(3, 12)
    return Content(
        run=a_run(), series=test, vectors=some_vectors(36), evaluation=found,
        judged_on=(train, test), strategies=TABLE, **parts,
    )  # fmt: skip


def test_page_shows_every_figure_of_the_evaluation():
    content = judged_content()
    seen = Seen(page(content))
    ids = [a["id"] for a in seen.all("section")]
    assert ids[-5:] == ["strategies", "judged", "calibration", "mistakes", "use"]
    assert {f"#{name}" for name in ids[-5:]} <= {a["href"] for a in seen.all("a")}
    for name, value, about in metric_rows(content.evaluation):
        assert f"{name} {value} {about}" in seen.words
    for mistake in content.evaluation.mistakes:
        assert f"{mistake.id} {mistake.truth} {mistake.predicted}" in seen.words
    told = [a.get("aria-label", "") for a in seen.all("svg") if a.get("role") == "img"]
    assert any("were taken for" in text for text in told)
    assert any("% sure" in text for text in told)


def test_page_without_series_has_no_map_and_says_so():
    _, _, found = judged_pair()
    content = Content(run=a_run(), evaluation=found, left_out=["No map: the model is not here."])
    text = page(content)
    ids = [a["id"] for a in Seen(text).all("section")]
    assert ids == ["data", "learning", "judged", "calibration", "mistakes", "use"]
    assert "No map: the model is not here." in Seen(text).words and WITHOUT in Seen(text).words
    assert 'id="series"' not in text and 'href="#map"' not in text


@pytest.mark.late
def test_hostile_names_in_the_judged_parts_stay_text():
    names = sorted(HOSTILE[:3])
    train, test, found = judged_pair(3, 12, names=names)
    hostile = {HOSTILE[0]: {HOSTILE[1]: (0.5, 0.4, 0.6)}}
    content = replace(full_content(), evaluation=found, judged_on=(train, test), strategies=hostile)
    seen = Seen(page(content))
    assert len(seen.all("script")) == 2 and not seen.all("img")
    assert all(not name.startswith("on") for _, a in seen.tags for name in a)


@pytest.mark.parametrize("K", [2, 40])
def test_judged_page_stays_small(K):
    train, test, found = judged_pair(K, 50)
    text = page(Content(run=a_run(), evaluation=found, judged_on=(train, test)))
    assert len(text) < 400_000


def test_section_for_the_card():
    _, _, found = judged_pair()
    text = evaluation_section(found)
    lines = text.splitlines()
    assert lines[0] == "### With 9 labelled series"
    for name, value, about in metric_rows(found):
        assert f"| {name} | {value} | {about} |" in lines
    assert [f"- {text}" for text in frequent_mistakes(found)] == lines[
        -len(frequent_mistakes(found)) :
    ]


def test_same_content_same_page_and_arguments_untouched():
    content = judged_content()
    before = content.evaluation.to_dict()
    assert page(content) == page(judged_content())
    assert content.evaluation.to_dict() == before


def test_vectors_without_series_are_refused():
    with pytest.raises(ValueError, match="got 12 vectors for 0 series: one each is wanted"):
        Content(run=a_run(), vectors=some_vectors())
    assert "Series that the model finds similar" not in page(
        Content(run=a_run(), series=some_series())
    )


def test_strategies_of_a_comparison_are_its_rows():
    rng = np.random.default_rng(0)
    hits = {name: {1: rng.random((3, 40)) < 0.7} for name in ("selftime", "raw values")}
    plain = Comparison((1,), hits, {1: 2})
    assert strategies_of(plain) == {}
    tuned = Comparison((1,), hits | {"selftime, full": {1: rng.random((3, 40)) < 0.9}}, {1: 2})
    found = strategies_of(tuned)
    assert list(found) == ["probe", "full"] and list(found["full"]) == [2]
    share, low, high = found["full"][2]
    assert share == pytest.approx(tuned.accuracy("selftime, full", 1)) and low < share < high
    assert strategy_table(found).rows[1][1][0].strong
