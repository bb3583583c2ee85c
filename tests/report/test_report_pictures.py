"""Pictures hold what they should, for 2 to 40 classes, and are written whole."""

import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest
from matplotlib.figure import Figure

import selftime as st
from selftime.report.page.charts import label_count_name, label_share, log_positions, select_marks
from selftime.report.pictures.curves import label_efficiency, mean_interval
from selftime.report.pictures.maps import (
    CHIP,
    embedding_map,
    examples_of,
    overview,
    principal_plane,
)
from selftime.report.pictures.palette import class_style, save_picture, space_labels
from selftime.report.pictures.signals import MOST_LINES, channel_ranges
from selftime.tasks.comparison.compare import Comparison


def texts_of(figure: Figure) -> set[str]:
    """All that can be read in a picture."""
    return {text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))}


def a_comparison(rows: int = 3, budgets=(1, 5, None), draws: int = 4) -> Comparison:
    rng = np.random.default_rng(0)
    names = ["selftime", "untrained encoder", "raw values", "MiniRocket + ridge"][:rows]
    hits = {
        name: {b: rng.random((1 if b is None else draws, 50)) < 0.6 + 0.1 * k for b in budgets}
        for k, name in enumerate(names)
    }
    return Comparison(tuple(budgets), hits, {b: 30 if b is None else 3 * b for b in budgets})


def series_of(classes: int, *, channels: int = 1, each: int = 3, ragged: bool = False):
    rng = np.random.default_rng(classes)
    labels = np.repeat([f"class {k}" for k in range(classes)], each)
    lengths = rng.integers(5, 30, len(labels)) if ragged else np.full(len(labels), 12)
    x = [rng.normal(size=(channels, length)) for length in lengths]
    x[0][0, 2] = np.nan
    return st.SeriesSet.of(x, labels)


def test_curve_names_rows_and_budgets():
    words = texts_of(label_efficiency(a_comparison(4), title="A title"))
    assert {"selftime", "untrained encoder", "raw values", "MiniRocket + ridge"} <= words
    assert {"1\n(3)\n10 %", "5\n(15)\n50 %", "all\n(30)", "A title"} <= words
    assert "share of 50 test series classified right; mean of 4 draws of labels, with 95 %" in (
        " ".join(words)
    )


@pytest.mark.parametrize("budgets", [(None,), (1,), (1, 2, 3, 4, 5, 10, 20, None)])
def test_curve_of_any_number_of_budgets(budgets, tmp_path):
    figure = label_efficiency(a_comparison(2, budgets), title="t")
    assert save_picture(figure, tmp_path / "curve.png").stat().st_size > 5000


def test_curve_of_many_rows_and_budgets_goes_by_factors():
    rng, budgets = np.random.default_rng(0), (10, 1, 2, 5, 50, None)
    counts = dict(zip(budgets, (90, 9, 18, 45, 450, 900), strict=True))
    hits = {f"row {k}": {b: rng.random((2, 40)) < 0.5 for b in budgets} for k in range(25)}
    figure = label_efficiency(Comparison(budgets, hits, counts), title="t")
    words, axes = texts_of(figure), figure.axes[0]
    assert {f"row {k}" for k in range(25)} <= words and figure.get_figheight() > 5
    assert {"1\n(9)\n1 %", "10\n(90)\n10 %", "50\n(450)\n50 %", "all\n(900)"} <= words
    x = max(axes.get_lines(), key=lambda line: line.get_linewidth()).get_xdata()
    steps = np.diff(x) / np.diff(np.log([9, 18, 45, 90, 450, 900]))
    np.testing.assert_allclose(steps, steps[0])
    drawn = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    dashes = {line._unscaled_dash_pattern[1] for line in drawn}
    assert len(dashes) == 4  # after four colours they come again with another dash


def test_budgets_are_named_and_written_where_there_is_room():
    assert [label_count_name(b) for b in (1, 20, 0.05, None)] == ["1", "20", "5 %", "all"]
    assert [label_share(n, 900) for n in (9, 250, 900)] == ["1 %", "28 %", ""]
    np.testing.assert_allclose(log_positions(np.array([1, 10, 100])), [0.07, 0.485, 0.9])
    assert log_positions(np.array([5, 5])).tolist() == [0.5, 0.5]
    places = np.array([0.1, 0.12, 0.3, 0.85, 0.9])
    assert select_marks(places, 0.1) == [True, False, True, False, True]


def test_interval_is_that_of_student():
    hits = np.zeros((3, 100), bool)
    for row, right in enumerate((50, 60, 70)):
        hits[row, :right] = True
    mean, half = mean_interval(hits)
    assert mean == pytest.approx(60)
    assert half == pytest.approx(4.302653 * 10 / 3**0.5)  # t(0.975; 2), tables of the t law
    assert mean_interval(hits[:1]) == (50, 0)


def test_curve_draws_the_means():
    comparison = a_comparison(2)
    figure = label_efficiency(comparison, title="t")
    line = max(figure.axes[0].get_lines(), key=lambda line: line.get_linewidth())
    wanted = [100 * comparison.accuracy("selftime", b) for b in comparison.labels_per_class]
    np.testing.assert_allclose(line.get_ydata(), wanted)


@pytest.mark.late
@pytest.mark.parametrize("classes, channels", [(2, 1), (9, MOST_LINES + 1), (40, 1)])
def test_map_shows_every_class_once(classes, channels):
    series = series_of(classes, channels=channels, ragged=True)
    z = np.random.default_rng(1).normal(size=(len(series), 6)).astype(np.float32)
    figure = embedding_map(z, series, title="A title")
    words = texts_of(figure)
    assert {f"class {k}" for k in range(classes)} | {"A title"} <= words
    axes = figure.axes[0]
    assert sum(len(dots.get_offsets()) for dots in axes.collections) == len(series)


def test_map_without_labels_and_of_few_series():
    series = st.SeriesSet.of(np.random.default_rng(0).normal(size=(2, 1, 9)))
    figure = embedding_map(np.eye(2, 3, dtype=np.float32), series, title="t")
    assert len(figure.axes[0].collections) == 1
    with pytest.raises(ValueError, match="got 3 vectors for 2 series: one each"):
        embedding_map(np.eye(3, dtype=np.float32), series, title="t")


def test_plane_is_that_of_the_covariance(np_rng):
    z = np_rng.normal(size=(30, 5)) * [5, 3, 1, 1, 1]
    points, shares = principal_plane(z)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(np.cov(unit.T, bias=True))
    for axis in (0, 1):
        wanted = (unit - unit.mean(axis=0)) @ vectors[:, -1 - axis]
        wanted *= np.sign(wanted[np.abs(wanted).argmax()])
        np.testing.assert_allclose(points[:, axis], wanted, atol=1e-12)
    np.testing.assert_allclose(shares, values[:-3:-1] / values.sum())


def test_chips_do_not_cover_one_another(np_rng):
    places = np_rng.random((300, 2))
    chosen = examples_of(places, np.arange(300) % 3)
    assert len(set(chosen)) == len(chosen) >= 10
    for k, i in enumerate(chosen):
        for j in chosen[:k]:
            assert (np.abs(places[i] - places[j]) > CHIP).any()


@pytest.mark.late
@pytest.mark.parametrize("classes", [2, 7, 40])
def test_overview_has_a_panel_for_each_class(classes):
    figure = overview(series_of(classes, each=6), title="A title", each=4)
    drawn = [axes for axes in figure.axes if axes.get_lines()]
    assert len(drawn) == classes and all(len(axes.get_lines()) == 4 for axes in drawn)
    assert {"class 0", "A title", f"4 series of each class ({6 * classes} in all)"} <= (
        texts_of(figure)
    )


def test_overview_without_labels_draws_the_values():
    x = np.random.default_rng(0).normal(size=(3, 2, 8)).astype(np.float32)
    figure = overview(st.SeriesSet.of(x, channels=["u", "v"]), title="t", channel=1)
    drawn = {tuple(line.get_ydata()) for line in figure.axes[0].get_lines()}
    assert drawn == {tuple(values) for values in x[:, 1]}
    assert "3 of 3 series; channel 'v', one of 2" in texts_of(figure)
    with pytest.raises(ValueError, match="got channel 2, wanted 0 to 1"):
        overview(st.SeriesSet.of(x), title="t", channel=2)


def test_ranges_leave_out_what_is_missing():
    x = np.array([[[1.0, np.nan, 3.0]], [[2.0, 2.0, np.nan]]])
    np.testing.assert_allclose(channel_ranges(st.SeriesSet.of(x)), [[1.03, 2.97]], rtol=1e-6)
    np.testing.assert_allclose(channel_ranges(st.SeriesSet.of(np.ones((2, 1, 3)))), [[1, 2]])


@pytest.mark.late
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_picture_is_the_same_file(suffix, tmp_path):
    for name in ("a", "b"):
        save_picture(overview(series_of(2), title="t"), tmp_path / f"{name}{suffix}")
    a, b = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert a == b
    if suffix == ".svg":
        assert xml.fromstring(a).tag.endswith("svg") and not re.search(rb"<dc:date>", a)


def test_a_picture_is_whole_or_not_there(tmp_path, monkeypatch):
    figure = overview(series_of(2), title="t")
    with pytest.raises(ValueError, match="wanted a picture ending in .png, .svg or .pdf"):
        save_picture(figure, tmp_path / "a.bmp")

    def half(path, **_):
        path.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="No space left"):
        save_picture(figure, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_styles_of_80_classes_differ():
    assert len({class_style(k) for k in range(80)}) == 80


def test_labels_are_spread_as_little_as_needed():
    np.testing.assert_allclose(space_labels(np.array([0.0, 5.0, 9.0]), 1.0), [0, 5, 9])
    np.testing.assert_allclose(space_labels(np.array([3.0, 3.0, 3.0]), 2.0), [1, 3, 5])
    np.testing.assert_allclose(space_labels(np.array([9.0, 0.0, 0.5]), 1.0), [9, -0.25, 0.75])


def test_chips_lie_on_their_points_wherever_the_last_class_is():
    """The last class lies far from the others, beyond the limits that these ask for."""
    z = np.array([[1, 0, 0], [1, 0.02, 0], [1, 0.1, 0], [-1, 0, 3]], np.float32)
    series = st.SeriesSet.of(np.random.default_rng(0).normal(size=(4, 20)), labels=[*"aab", "far"])
    figure = embedding_map(z, series, title="t")
    axes = figure.axes[0]
    figure.canvas.draw()
    dots = [axes.transData.transform(dot.get_offsets()) for dot in axes.collections]
    chips = [chip.bbox.get_points().mean(axis=0) for chip in axes.child_axes]
    for chip in chips:
        assert min(np.abs(np.concatenate(dots) - chip).max(axis=1)) < 1
    assert {chip.get_title() for chip in axes.child_axes} >= {"far"}


def test_intervals_of_shares_end_at_all_and_none():
    two = np.array([[True] * 10, [True] * 6 + [False] * 4])  # 80 ± 254 %
    hits = dict.fromkeys(("selftime", "untrained encoder", "raw values"), {1: two, None: two[:1]})
    figure = label_efficiency(Comparison((1, None), hits, {1: 2, None: 10}), title="t")
    for drawn in figure.axes[0].collections:
        for path in drawn.get_paths():
            heights = path.vertices[:, 1]
            assert heights.min() >= -1e-9 and heights.max() <= 100 + 1e-9
