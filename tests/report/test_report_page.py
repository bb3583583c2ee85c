"""The page holds what it should in every case, and nothing that comes from outside becomes code."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from report_material import (
    HOSTILE,
    RANGES,
    WARNINGS,
    Seen,
    a_comparison,
    a_log,
    a_run,
    full_content,
    some_series,
    some_vectors,
)

import selftime as st
from selftime.report.page.page import Content, page, write_page
from selftime.report.page.pointmap import MOST_SERIES
from selftime.views.registry import VIEWS


def plain(series=None, n: int = 12, **parts) -> Content:
    series = some_series(n) if series is None else series
    return Content(run=a_run(), series=series, vectors=some_vectors(len(series)), **parts)


def data_of(text: str) -> dict:
    """What the script is given."""
    found = re.search(r'<script type="application/json" id="series">(.*?)</script>', text, re.S)
    return json.loads(found.group(1))


def sections(text: str) -> list[str]:
    return [a["id"] for a in Seen(text).all("section")]


@pytest.fixture(scope="module")
def full() -> str:
    return page(full_content())


@pytest.mark.late
def test_sections_come_in_order(full):
    assert sections(full) == ["data", "learning", "map", "views", "results", "use"]


def test_what_is_not_there_leaves_no_section():
    text = page(plain())
    assert sections(text) == ["data", "learning", "map", "use"]
    links = [a["href"] for a in Seen(text).all("a")]
    assert links == ["#data", "#learning", "#map", "#use"]


def test_closed_form_says_it_was_solved_in_one_pass():
    words = Seen(page(plain())).words
    assert "Solved in one pass" in words and "12.5 seconds" in words
    assert "healthy range" not in words


def test_settings_come_with_their_reasons():
    words = Seen(page(plain())).words
    assert "objective spectral learns in one pass" in words and "strength 1 given" in words
    assert "missing 25 % of the values" in words


def test_gauges_show_their_state_and_warnings():
    log = a_log()
    text = page(plain(metrics=log, monitor_ranges=RANGES, warnings=WARNINGS))
    words = Seen(text).words
    assert "spread 0.28 below 0.5" in words and "rank 12 healthy" in words
    assert "Step 60, spread. features collapse: more variance" in words
    assert "1 warning while learning : features collapse: more variance" in words
    assert text.count('class="mark"') == 2  # at the loss and at its monitor
    assert text.count('class="band"') == 2


def test_chart_without_picture_is_told_in_words():
    text = page(plain(metrics=a_log(), monitor_ranges=RANGES, warnings=WARNINGS))
    told = [a["aria-label"] for a in Seen(text).all("div") if a.get("role") == "img"]
    assert "spread: from 1 to 0.28 over 5 readings, with a warning at step 60" in told


@pytest.mark.parametrize(
    "record",
    [
        {"step": 0, "seconds": 0.0, "loss": float("nan"), "monitors": {"spread": float("nan")}},
        {"step": 5, "loss": float("inf"), "parts": {}, "monitors": {"rank": None}},
        {"step": 5, "seconds": 1.0, "loss": 1.0, "parts": None, "monitors": None},
        {"step": 5},
    ],
)
def test_odd_log(record):
    text = page(plain(metrics=[record], monitor_ranges=RANGES))
    assert "NaN" not in text.replace("NaNs", "") and "Infinity" not in page_without_script(text)
    assert sections(text) == ["data", "learning", "map", "use"]


def page_without_script(text: str) -> str:
    return text[: text.rindex("<script>")]


def test_hostile_names_stay_text(full):
    seen = Seen(full)
    assert len(seen.all("script")) == 2 and not seen.all("img")
    assert all(not name.startswith("on") for _, a in seen.tags for name in a)
    for text in HOSTILE[:3]:
        assert text in seen.words
    assert "49" not in seen.words.split()
    content = full_content()
    data = data_of(full)
    assert data["ids"] == content.series.ids.tolist()
    assert data["labels"] == list(content.series.labels)
    assert data["channels"] == list(HOSTILE[1:3])


def test_nothing_is_loaded_from_elsewhere(full):
    seen = Seen(full)
    assert not [a for _, a in seen.tags if {"src", "srcset", "action", "data"} & set(a)]
    links = {a[name] for _, a in seen.tags for name in ("href", "xlink:href") if name in a}
    assert all(link.startswith("#") or link == "data:," for link in links), links
    code = "".join(re.findall(r"<style>.*?</style>|<script>.*?</script>", full, re.S))
    assert code.count("<script>") == 1
    assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttp|WebSocket|sendBeacon", code)
    policy = next(a["content"] for a in seen.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_no_labels_no_legend():
    text = page(plain())
    assert not Seen(text).all("button") and data_of(text)["labels"] is None
    assert "same label" not in text and Seen(text).words.count("12 series") >= 1


def test_values_as_labels_are_not_classes():
    text = page(plain(some_series(120, labels=np.arange(120) / 7), n=120))
    assert not Seen(text).all("button") and len(set(data_of(text)["labels"])) == 120


@pytest.mark.parametrize("classes", [2, 10, 30, 80])
def test_every_class_has_a_button_and_all_its_points(classes):
    labels = [f"class {k % classes}" for k in range(160)]
    seen = Seen(page(plain(some_series(160, labels=labels), n=160)))
    assert len(seen.all("button")) == classes and len(seen.all("use")) == 160
    shapes = {
        a["id"]
        for name, a in seen.tags
        if name in ("circle", "rect", "polygon", "path") and "id" in a
    }
    assert {a["href"][1:] for a in seen.all("use")} <= shapes


def test_one_series():
    text = page(plain(n=1, views={"mild": VIEWS["mild"]}))
    assert data_of(text)["near"] == [[]] and len(Seen(text).all("use")) == 1


def test_ragged_and_missing():
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, length)) for length in (1, 2, 300, 40)]
    x[2][:, 50:200] = np.nan
    x[3][1] = np.nan
    series = st.SeriesSet.of(x, ["a", "a", "b", "b"])
    data = data_of(page(plain(series, views=VIEWS)))
    assert (
        data["extents"] == ["1 step", "2 steps", "300 steps", "40 steps"]
        and len(data["channels"]) == 3
    )


def test_many_channels_are_cut_and_said():
    text = page(plain(some_series(6, channels=20), views={"mild": VIEWS["mild"]}))
    data = data_of(text)
    assert len(data["channels"]) == 12 and data["more_channels"] == 8
    assert "The first 3 of 20 channels are drawn." in Seen(text).words


@pytest.mark.late
@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.slow), 12])
def test_many_series_stay_small(channels):
    text = page(plain(some_series(5000, channels=channels, T=300), n=5000, views=VIEWS))
    assert len(text) < 2_000_000
    assert len(data_of(text)["ids"]) == len(Seen(text).all("use")) == MOST_SERIES
    assert "1,000 of 5,000 series" in Seen(text).words


def test_a_long_log_stays_small():
    log = [record | {"step": k} for k, record in enumerate(a_log(1) * 6000)]
    assert len(page(plain(metrics=log, monitor_ranges=RANGES))) < 400_000


@pytest.mark.late
def test_same_content_same_page(full):
    assert page(full_content()) == full


@pytest.mark.late
def test_content_stays_untouched():
    content = full_content()
    before = content.series.fingerprint(), content.vectors.copy(), repr(content.metrics)
    page(content)
    assert content.series.fingerprint() == before[0]
    np.testing.assert_array_equal(content.vectors, before[1])
    assert repr(content.metrics) == before[2]


def test_vectors_and_series_must_fit():
    with pytest.raises(ValueError, match="got 3 vectors for 12 series: one each is wanted"):
        replace(plain(), vectors=some_vectors(3))


def test_long_tables_fold():
    settings = {f"setting {k}": {"value": k, "reason": "given"} for k in range(14)}
    content = replace(plain(), run=a_run() | {"settings": settings})
    assert "4 more" in Seen(page(content)).words and "setting 13" in Seen(page(content)).words


def test_results_show_every_row_and_budget(full):
    words = Seen(full).words
    for sentence in a_comparison().verdict():
        assert sentence in words
    for name in ("selftime", "untrained encoder", "raw values", "MiniRocket + ridge"):
        assert words.count(name) >= 3  # chart, legend, table
    assert "1 label per class 3 in all 5 labels per class 15 in all all labels 30 in all" in words


def test_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    assert write_page(target, plain()) == target
    assert target.read_text(encoding="utf8") == page(plain())
    monkeypatch.setattr("os.replace", lambda a, b: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_page(tmp_path / "other.html", plain())
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ValueError, match="report.pdf: wanted a report ending in .html"):
        write_page(tmp_path / "report.pdf", plain())


def test_paths_of_any_bytes_can_be_written(tmp_path):
    content = replace(plain(), run=a_run("r\udce9cordings"))
    assert "r?cordings" in write_page(tmp_path / "r.html", content).read_text(encoding="utf8")
