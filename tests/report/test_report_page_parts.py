"""What the page is drawn from, beside plain loops and cases worked out by hand."""

import math
import re
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
import torch
from report_material import RANGES, WARNINGS, a_comparison, a_log, a_run, some_series, some_vectors

from selftime.data.batch import Batch
from selftime.report.page.charts import (
    Axis,
    axis_over,
    line_through,
    outline,
    outline_steps,
    short_number,
    svg_path,
    tooltips_of,
    trace_path,
)
from selftime.report.page.content import Content
from selftime.report.page.gallery import DRAWS, furthest_draw, gallery
from selftime.report.page.page import UNMEASURED, comparison_sentence, page, verdict_of
from selftime.report.page.pointmap import (
    nearest_series,
    neighbour_agreement,
    pack_values,
    place_points,
    sample_rows,
)
from selftime.report.page.progress import (
    loss_charts,
    metric_trace,
    monitor_charts,
    state_of,
    values_table,
)
from selftime.report.page.results import results, results_section, row_style
from selftime.report.pictures.curves import mean_interval
from selftime.tasks.comparison.compare import Comparison
from selftime.views.amplitude import flip, jitter
from selftime.views.mild import Mild


def a_content(**parts) -> Content:
    return Content(run=a_run(), series=some_series(), vectors=some_vectors(), **parts)


# Strokes


def test_outline_keeps_every_peak_in_order():
    values = np.random.default_rng(0).normal(size=(2, 103))
    values[1, 30:60] = np.nan
    found = outline(values, 20)
    edges = [int(k * 103 / 10) for k in range(11)]
    for c in range(2):
        for k in range(10):
            part = values[c, edges[k] : edges[k + 1]]
            seen = [v for v in part if not math.isnan(v)]
            pair = found[c, 2 * k : 2 * k + 2]
            if not seen:
                assert np.isnan(pair).all()
            else:
                up = part[-1] >= part[0]
                wanted = (min(seen), max(seen)) if up else (max(seen), min(seen))
                assert tuple(pair) == wanted
    steps = outline_steps(103, 20)
    assert [steps[0], steps[-1], len(steps)] == [0, 102, found.shape[1]]


def test_short_series_are_drawn_as_they_are():
    values = np.arange(6.0).reshape(1, 6)
    np.testing.assert_array_equal(outline(values, 6), values)
    np.testing.assert_array_equal(outline_steps(6, 6), np.arange(6))


def test_path_lifts_the_pen_over_gaps_and_dots_what_is_alone():
    y = np.array([0.0, 1.0, np.nan, 0.5, np.nan, np.nan, 0.25, 0.25])
    path = svg_path(np.linspace(0, 0.7, 8), y)
    assert path == "M0 1000L100 0M300 500h0M600 750L700 750"


def test_trace_spans_the_width():
    assert trace_path(np.array([0.0, 0.5, 1.0]), 10) == "M0 1000L500 500 1000 0"
    assert trace_path(np.array([0.5]), 10) == "M500 500h0"
    assert trace_path(np.array([np.nan, np.nan]), 10) == ""


# Charts


def test_axes_place_values():
    values = np.array([1.0, 10.0, np.nan, -1.0, np.inf])
    np.testing.assert_allclose(
        Axis(-1.0, 9.0).shares(values), [0.2, 1.1, np.nan, 0.0, np.nan], rtol=1e-12
    )
    np.testing.assert_allclose(
        Axis(0.1, 1000.0, log=True).shares(values), [0.25, 0.5, np.nan, np.nan, np.nan], rtol=1e-12
    )


@pytest.mark.parametrize(
    "low, high, log", [(0.0, 7.3, False), (-2e-4, 1e-4, False), (3, 4e5, True)]
)
def test_ticks_lie_where_they_say(low, high, log):
    axis = Axis(float(low), float(high), log)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 7
    for tick in ticks:
        value = float(tick.text.replace("\u2212", "-").replace(",", ""))
        assert 100 * float(axis.shares(np.array(value))) == pytest.approx(tick.at, abs=0.01)


def test_axis_has_room_for_the_healthy_range_and_goes_by_factors_only_when_asked():
    values = np.array([0.01, 1.0, np.nan])
    axis = axis_over(values, beside=[2.0, math.inf])
    assert axis.low < 0.01 and axis.high > 2.0 and not axis.log
    assert axis_over(values, steep=True).log and not axis_over(values + 1, steep=True).log
    assert axis_over(np.array([np.nan])) == Axis(0.0, 1.08)
    assert axis_over(np.array([5.0])) == Axis(4.5, 5.5)


@pytest.mark.parametrize(
    "value, text",
    [(0.0, "0"), (0.93456, "0.935"), (-3, "\u22123"), (1234.4, "1,234"), (3e-5, "3e\u221205")],
)
def test_numbers_are_short(value, text):
    assert short_number(float(value)) == text


def test_long_lines_and_readings_are_thinned_evenly():
    x = np.linspace(0, 1, 10_000)
    y = np.where(np.arange(10_000) == 5000, 1.0, 0.0)
    assert " 0" in line_through("a", "strong", x, y).path  # the one peak is still there
    found = tooltips_of(x, y, [str(i) for i in range(10_000)])
    assert [found[0].text, found[-1].text, len(found)] == ["0", "9999", 150]


# Learning


def test_track_takes_what_is_there():
    log = [{"step": 1, "monitors": {"a": 2}}, {"step": 2}, {"step": 3, "monitors": {"a": math.inf}}]
    found = metric_trace(log, "monitors", "a")
    np.testing.assert_array_equal(found.steps, [1, 3])
    np.testing.assert_array_equal(found.values, [2, np.nan])
    assert math.isnan(found.end) and math.isnan(metric_trace(log, "loss").end)


@pytest.mark.parametrize(
    "value, text",
    [(0.4, "below 0.5"), (0.5, "healthy"), (2, "above 1.3"), (math.nan, "not a number")],
)
def test_states(value, text):
    assert state_of(float(value), 0.5, 1.3) == text


def test_band_lies_at_the_healthy_range():
    content = a_content(metrics=a_log(), monitor_ranges=RANGES, warnings=WARNINGS)
    spread, rank = monitor_charts(content)
    up = axis_over(np.array([0.28, 1.0]), beside=[0.5, 1.3])
    start, height = spread.band
    assert start == pytest.approx(100 * (0.5 - up.low) / (up.high - up.low), abs=0.01)
    assert height == pytest.approx(100 * (1.3 - 0.5) / (up.high - up.low), abs=0.01)
    assert sum(rank.band) == pytest.approx(100, abs=0.02)  # healthy without an upper end
    assert [mark.text for mark in spread.marks] == ["step 60: features collapse: more variance"]
    assert spread.marks[0].at == pytest.approx(100 * 60 / 90, abs=0.01) and rank.marks == ()


def test_terms_of_the_loss_are_drawn_together():
    loss, terms = loss_charts(a_content(metrics=a_log()))
    assert loss.title == "loss" and loss.last == "0.2"
    assert [line.name for line in terms.lines] == ["invariance", "variance"]


def test_values_behind_the_charts():
    head, rows = values_table(a_content(metrics=a_log()))
    assert head == ["step", "seconds", "loss", "spread", "rank"]
    assert rows[1] == ["20", "1", "0.667", "0.82", "18"] and len(rows) == 5


# Map


def test_bytes_hold_the_series():
    values = np.random.default_rng(0).normal(size=(3, 50)) * [[1], [1e-6], [1e6]]
    values[0, 10:20] = np.nan
    values[2] = np.nan
    ends, text = pack_values(values)
    levels = np.frombuffer(b64decode(text), np.uint8).reshape(3, 50)
    np.testing.assert_array_equal(levels == 255, np.isnan(values))
    for c in range(2):
        low, high = ends[c]
        found = low + (high - low) * levels[c] / 254
        there = ~np.isnan(values[c])
        assert np.abs(found - values[c])[there].max() < (high - low) * (0.5 / 254 + 1e-3)
    assert ends[2] == [0, 0]
    assert pack_values(np.full((1, 4), 7.0)) == ([[7.0, 7.0]], "AAAAAA==")


def test_nearest_by_angle():
    vectors = np.random.default_rng(0).normal(size=(9, 4)) * np.arange(1, 10)[:, None]
    found = nearest_series(vectors)
    for i in range(9):
        cosines = [
            (
                float(vectors[i] @ vectors[j])
                / math.dist(vectors[i], [0] * 4)
                / math.dist(vectors[j], [0] * 4),
                j,
            )
            for j in range(9)
            if j != i
        ]
        assert found[i].tolist() == [j for _, j in sorted(cosines, reverse=True)[:3]]


def test_agreement_beside_chance():
    labels = np.array(["a", "a", "a", "b"])
    near = np.array([[1], [0], [3], [0]])  # two of four have a neighbour of their own class
    assert neighbour_agreement(labels, near) == (
        "For 50 % of them the most similar series has the same label (62 % by chance)."
    )


def test_places_fill_the_map_upwards():
    found = place_points(np.array([[0.0, 0.0], [1.0, 2.0], [0.5, 1.0]]))
    assert found.tolist() == [[40, 660], [960, 40], [500, 350]]
    assert place_points(np.zeros((1, 2))).tolist() == [[500, 350]]


def test_rows_are_drawn_once_and_for_all():
    rows = sample_rows(5000)
    assert len(np.unique(rows)) == 1000 and (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, sample_rows(5000))
    assert rows[500] > 1500  # from everywhere, not from the start


# Views


def test_gallery_shows_the_first_view_on_several_series():
    first, second = gallery(some_series(9, channels=5), {"mild": Mild(strength=0.0), "flip": flip})
    assert [panel.id for panel in first.panels] == ["0", "2", "5", "8"]
    assert [panel.id for panel in second.panels] == ["0"]
    assert all(before == after for panel in first.panels for before, after in panel.lanes)
    assert all(before != after for before, after in second.panels[0].lanes)
    assert second.about == "Change the sign of some of the channels."
    assert {len(panel.lanes) for panel in first.panels} == {3}


def test_the_draw_that_goes_furthest():
    one = Batch(torch.zeros(1, 2, 4), torch.ones(1, 2, 4, dtype=torch.bool))
    values = torch.zeros(DRAWS, 2, 4)
    values[3, 1] = 2.0
    values[5, 1] = 9.0
    observed = torch.ones_like(values, dtype=torch.bool)
    observed[5, 1] = False  # what is missing is taken as 0
    assert furthest_draw(one, Batch(values, observed)).values[0, 1, 0] == 2.0


def test_lanes_stay_within_their_panel():
    exhibits = gallery(some_series(4, channels=2, T=2000), {"jitter": jitter, "mild": Mild()})
    for before, after in exhibits[0].panels[0].lanes:
        heights = [int(y) for y in re.findall(r"[ML ]-?\d+ (-?\d+)", before + after)]
        assert 0 <= min(heights) < max(heights) <= 1000
        assert max(len(before), len(after)) < 240 * 9


# Results


def one_sided(shares: dict) -> Comparison:
    """The model right in the given share of cases, the untrained encoder in half of them."""
    rng = np.random.default_rng(0)
    hits = {
        "selftime": {b: rng.random((5, 400)) < share for b, share in shares.items()},
        "untrained encoder": {b: rng.random((5, 400)) < 0.5 for b in shares},
        "raw values": {b: rng.random((5, 400)) < 0.5 for b in shares},
    }
    return Comparison(tuple(shares), hits, dict.fromkeys(shares, 9))


@pytest.mark.late
@pytest.mark.parametrize(
    "shares, pattern",
    [
        ({1: 0.8, None: 0.7}, r"helped at every number of labels: by [\d.]+ ± [\d.]+ points with "
         r"1 label per class and [\d.]+ ± [\d.]+ points with all labels\.$"),
        ({2: 0.8}, r"helped at the one number of labels tried: by .* with 2 labels per class\.$"),
        ({1: 0.8, None: 0.5}, r"at 1 of 2 numbers of labels, by .* with 1 label per class; "
         r"elsewhere it made no clear difference\.$"),
        ({1: 0.8, None: 0.3}, r"at 1 of 2 .*; it cost .* points with all labels\.$"),
        ({1: 0.5, None: 0.5}, r"made no clear difference at any number of labels\.$"),
        ({1: 0.3, None: 0.5}, r"did not help: it cost [\d.]+ ± [\d.]+ points with 1 label per"),
    ],
)  # fmt: skip
def test_verdict_says_where_it_helped(shares, pattern):
    assert re.search(pattern, comparison_sentence(one_sided(shares)).replace("\u00a0", " "))


def test_verdict_without_comparison():
    assert verdict_of(a_content()) == (
        "Learned from 12 series without labels in one pass of 12.5 seconds.", UNMEASURED
    )  # fmt: skip
    settings = a_run()["settings"] | {"rate": {"value": 0.001, "reason": "recipe of MAE"}}
    kept_elsewhere = replace(a_content(), run=a_run() | {"settings": settings})
    assert verdict_of(kept_elsewhere).sentence == (
        "Learned from 12 series without labels, by gradient in 12.5 seconds."
    )
    assert "Solved in one pass" not in page(kept_elsewhere)
    assert "Solved in one pass" in page(a_content())
    healthy = a_content(metrics=a_log(3), monitor_ranges=RANGES)
    assert verdict_of(healthy).sentence == (
        "Learned from 12 series without labels in 20 steps and 12.5 seconds."
    )
    off = replace(healthy, metrics=a_log())
    assert verdict_of(off).sentence.endswith("; outside its healthy range at the end: spread.")
    warned = replace(off, warnings=WARNINGS)
    assert "with a warning at step 60: features collapse" in verdict_of(warned).sentence


@pytest.mark.late
def test_table_holds_means_and_intervals():
    comparison = a_comparison()
    found = results(comparison)
    mean, half = mean_interval(comparison.hits["raw values"][5])
    rows = dict(found.rows)
    assert rows["raw values"][1].text == f"{mean:.1f} ± {half:.1f} %"
    assert [cell.strong for cell in rows["selftime"]] == [True, True, True]
    assert "±" not in rows["selftime"][2].text  # all labels: one draw
    assert dict(found.gains)["raw values"][0].text == str(comparison.gain("raw values", 1))


@pytest.mark.late
@pytest.mark.parametrize("budgets", [(None,), (1,), (1, 2, 3, 4, 5, 10, 20, None)])
def test_chart_of_any_number_of_budgets(budgets):
    found = results(a_comparison(budgets))
    assert len(found.marks) == len(budgets) and 1 <= len(found.values) <= len(budgets)
    places = [mark.at for mark in found.marks]
    assert places == sorted(places) and places[0] > 0 and places[-1] < 0.95
    assert all(0 <= tick.at <= 100 for tick in found.up) and len(found.up) >= 2
    for _, y, text in found.values:
        level = [(tick.at, float(tick.text)) for tick in found.up]
        (a, low), (b, high) = level[0], level[-1]
        assert y == pytest.approx(
            a + (b - a) * (float(text[:-2]) - low) / (high - low), abs=0.3
        )  # fmt: skip


def test_looks_of_16_rows_beside_the_model_differ():
    assert [row_style(k) for k in (0, 1, 4, 5, 9, 13)] == [
        "strong", "m0", "m3", "m0 dash0", "m0 dash1", "m0 dash2"
    ]  # fmt: skip
    assert len({row_style(k) for k in range(17)}) == 17


def test_rows_that_are_always_right_stay_in_the_chart():
    hits = {name: {1: np.ones((3, 10), bool)} for name in ("selftime", "untrained encoder", "raw")}
    found = results(Comparison((1,), hits, {1: 3}))
    assert found.values[0][2] == "100.0 %" and 0 < found.values[0][1] <= 100


@pytest.mark.late
def test_section_for_the_card():
    comparison = a_comparison()
    text = results_section(comparison)
    assert text.startswith("## Results\n\nShare of 200 test series classified right; mean of 4")
    lines = text.splitlines()
    assert (
        "| test series right | 1 label per class (3) | 5 labels per class (15) | all labels (30) |"
        in (lines)
    )
    mean, half = mean_interval(comparison.hits["selftime"][1])
    assert any(line.startswith(f"| selftime | **{mean:.1f} ± {half:.1f} %** |") for line in lines)
    assert f"- {comparison.verdict()[0]}" in lines
    tables = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables} == {5} and len(tables) == 2 + 4 + 2 + 3


def test_section_with_a_bar_in_a_name():
    hits = {name: {1: np.eye(4, dtype=bool)} for name in ("selftime", "untrained encoder", "a|b")}
    assert "| a&#124;b | **25.0 %** |" in results_section(Comparison((1,), hits, {1: 3}))
