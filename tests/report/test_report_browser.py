"""The page in a browser: it draws, answers to pointer and keys, and neither complains nor loads."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from browser_material import system_browser
from judged_material import TABLE, judged_pair
from markdown_it import MarkdownIt
from playwright.sync_api import Browser
from report_material import HOSTILE, Seen, a_run, full_content, some_vectors
from sight_material import guesses_of_kind, series_of_kind

import selftime as st
from selftime.engine.card import card_text
from selftime.report.page.evaluation import evaluation_section
from selftime.report.page.page import Content, page
from selftime.report.page.results import results_section
from selftime.views.registry import VIEWS

USE = """() => {
const told = {};
const words = () => document.querySelector(".shown h3").textContent.trim().split(/\\s+/).join(" ");
const map = document.getElementById("points");
const box = map.getBoundingClientRect();
const at = (kind, i) => {
  const [x, y] = JSON.parse(document.getElementById("series").textContent).places[i];
  const scale = box.width / 1000;
  const place = { clientX: box.left + x * scale, clientY: box.top + y * scale };
  map.dispatchEvent(new PointerEvent(kind, place));
  return words();
};
told.first = words();
told.hovered = at("pointermove", 4);
told.clicked = at("click", 5);
told.held = at("pointermove", 2);
told.firm = map.classList.contains("held");
map.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
told.freed = at("pointermove", 0);
map.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
told.right = words();
document.querySelector(".alike button").click();
told.alike = words();
document.querySelector(".classes button").click();
map.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
told.faded = document.querySelectorAll(".points.faded").length;
told.picked = at("pointermove", 1);
const area = document.querySelector("[data-readings]");
const edge = area.getBoundingClientRect();
area.dispatchEvent(new PointerEvent("pointermove", { clientX: edge.left + 1 }));
told.reading = document.querySelector(".reading").textContent;
const wide = document.documentElement;
told.overflow = wide.scrollWidth - wide.clientWidth;
return told;
}"""
SETTLED = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"""
"""Two turns of the page: what it still has to say or to ask for comes until then."""


class Opened(NamedTuple):
    """What a page became.

    Attributes:
        seen: its elements, once its script has run.
        console: every line of the console, and errors that nothing caught.
        asked: addresses that it asked for, its own aside.
        told: what came of the script that was run in it.
    """

    seen: Seen
    console: str
    asked: list[str]
    told: Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of the system, with a profile of its own that goes when it is closed."""
    with system_browser() as started:
        yield started


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page, runs a script in it if one is given, and says what came of it."""

    def open_page(text: str, script: str = "() => null", width: int = 1280) -> Opened:
        target = tmp_path / "report.html"
        target.write_text(text, encoding="utf8")
        said: list[str] = []
        asked: list[str] = []
        with browser.new_context(viewport={"width": width, "height": 900}) as context:
            shown = context.new_page()
            shown.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
            shown.on("pageerror", lambda error: said.append(f"Uncaught {error.name}: {error}"))
            shown.on("request", lambda request: asked.append(request.url))
            shown.goto(target.as_uri())
            told = shown.evaluate(script)
            shown.evaluate(SETTLED)
            seen = Seen(shown.content())
        asked.remove(target.as_uri())
        return Opened(seen, "\n".join(said), asked, told)

    return open_page


@pytest.mark.late
def test_full_page_draws_itself_and_complains_of_nothing(opened):
    content = full_content()
    seen, console, asked, _ = opened(page(content))
    assert console == "" and asked == []
    assert not seen.all("img") and len(seen.all("script")) == 2
    kinds = [a.get("class", "") for _, a in seen.tags]
    assert kinds.count("ring") == 1 and kinds.count("tie") == 3 + 4  # neighbours; rows of results
    assert kinds.count("lane") == 2 and content.series.ids[0] in seen.words
    assert "Most alike to the model" in seen.words


@pytest.mark.late
def test_console_is_heard(opened):
    """What the other tests find empty does fill when something goes wrong."""
    text = page(full_content())
    found = opened(text.replace('id="series"', 'id="gone"'))
    assert "Uncaught TypeError" in found.console
    picture = "https://example.org/a.png"
    found = opened(text.replace("</main>", f'<img src="{picture}"></main>'))
    assert "Content Security Policy" in found.console
    found = opened(text.replace("</main>", "<script>alert(1)</script></main>"))
    assert "Content Security Policy" in found.console
    found = opened(text, '() => { console.log("by the way"); }')
    assert found.console == "log: by the way"
    bare = re.sub(r"<meta http-equiv.*?>", "", text, count=1)
    found = opened(bare.replace("</main>", f'<img src="{picture}"></main>'))
    assert found.asked == [picture] and "Failed to load resource" in found.console


@pytest.mark.late
def test_map_answers_to_pointer_and_keys(opened):
    content = full_content()
    ids = [" ".join(name.split()) for name in content.series.ids]
    text = page(content)
    _, console, asked, told = opened(text, USE, width=500)
    assert console == "" and asked == []
    assert [told[k] for k in ("first", "hovered", "clicked")] == [ids[0], ids[4], ids[5]]
    assert [told[k] for k in ("held", "firm", "freed")] == [ids[5], True, ids[0]]
    data = json.loads(re.search(r'id="series">(.*?)</script>', text).group(1))
    right = ids.index(told["right"])
    assert data["places"][right][0] > data["places"][0][0]
    assert told["alike"] == ids[data["near"][right][0]]
    assert told["faded"] == 2 and data["labels"][ids.index(told["picked"])] == min(HOSTILE[:3])
    assert told["reading"] == "step 0: 2"
    assert told["overflow"] == 0  # nothing sticks out on a narrow screen


@pytest.mark.late
def test_series_are_drawn_as_they_are(opened):
    """The path that the script draws, against the values it was made from."""
    x = np.array([[0.0, 1.0, np.nan, 2.0, np.nan, 4.0, 4.0], [0, 0, 0, 0, 0, 0, 0]])
    series = st.SeriesSet.of([x, x * 100])
    content = Content(run=a_run(), series=series, vectors=some_vectors(2))
    seen, console, asked, _ = opened(page(content))
    assert console == "" and asked == []
    start = [a.get("class") for _, a in seen.tags].index("lane")
    path = next(a["d"] for name, a in seen.tags[start:] if name == "path")
    low, high = np.quantile(np.array([0, 1, 2, 4, 4, 0, 100, 200, 400, 400.0]), [0.01, 0.99])
    assert low == 0
    drawn = [[float(v) for v in part.split()] for part in re.findall(r"[ML]([^MLh]+)", path)]
    wanted = [
        (1000 * t / 6, 1000 * (0.95 - 0.9 * v / high))
        for t, v in enumerate(x[0])
        if not np.isnan(v)
    ]
    np.testing.assert_allclose(drawn, wanted, atol=0.9)
    assert path.count("M") == 3  # two gaps


@pytest.mark.late
def test_bare_page_complains_of_nothing(opened):
    series = st.SeriesSet.of([np.arange(4.0)], ids=["one"])
    bare = Content(run=a_run(), series=series, vectors=some_vectors(1))
    text = page(replace(bare, run=a_run() | {"settings": {}, "versions": {}}))
    seen, console, asked, _ = opened(text)
    assert console == "" and asked == []
    assert "one" in seen.words and "4 steps" in seen.words


LOOK = """() => {
const map = document.getElementById("points");
const shown = () => {
  const box = document.querySelector(".sight");
  const picture = box.querySelector("img");
  return picture ? picture.src : box.querySelector(".symbols").textContent;
};
const first = shown();
map.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
const wide = document.documentElement;
return {
  first, second: shown(), beside: document.querySelectorAll(".alike img, .alike .symbols").length,
  broken: [...document.images].filter((one) => one.complete && !one.naturalWidth).length,
  overflow: wide.scrollWidth - wide.clientWidth,
};
}"""


@pytest.mark.late
@pytest.mark.parametrize("name", ["images", "text", "sound", "film"])
def test_series_of_every_kind_are_seen(opened, name):
    series = series_of_kind(name, gap=True)
    views = {"span_mask": VIEWS["span_mask"]}
    text = page(Content(run=a_run(), series=series, vectors=some_vectors(6), views=views,
                        guesses=guesses_of_kind(name)))  # fmt: skip
    _, console, asked, told = opened(text, LOOK, width=390)
    assert console == "" and not [address for address in asked if not address.startswith("data:")]
    data = json.loads(re.search(r'id="series">(.*?)</script>', text).group(1))
    all_of_them = data["texts"] or data["pictures"]
    assert told["first"] == all_of_them[0] != told["second"] and told["second"] in all_of_them
    assert told["beside"] == 3 and told["broken"] == told["overflow"] == 0


WORSE = [
    *HOSTILE,
    "![i](http://evil.example/a.png)",
    "<a href='javascript:alert(1)'>x</a>",
    "a | b\n# Head\n<iframe src=//evil.example>",
    "{% raw %}${alert(1)}`<style>@import '//evil.example'</style>",
]
"""Names that a page or a Markdown renderer may take for more than names."""


@pytest.mark.late
def test_judged_page_of_hostile_names_runs_and_asks_for_nothing(opened):
    train, test, found = judged_pair(names=WORSE)
    content = replace(
        full_content(),
        evaluation=found,
        judged_on=(train, test),
        strategies={WORSE[0]: TABLE["probe"], WORSE[4]: TABLE["full"]},
    )
    seen, console, asked, _ = opened(page(content))
    assert console == "" and asked == []
    assert not [t for t, _ in seen.tags if t in ("img", "iframe")] and len(seen.all("script")) == 2
    links = {attributes.get("href", "") for attributes in seen.all("a")}
    assert all(link.startswith("#") for link in links)
    assert not [n for _, a in seen.tags for n in a if n.startswith("on")]
    assert "{% raw %}" in seen.words and "49" not in seen.words.split("{{ 7 * 7 }}")[0][-4:]


def rendered(text: str) -> str:
    """Markdown as a page, as a renderer makes it that lets HTML through."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


@pytest.mark.late
def test_card_of_hostile_names_runs_and_asks_for_nothing(opened):
    _, _, found = judged_pair(names=WORSE)
    rows = full_content().comparison
    named = {WORSE[k] if k != 1 else name: it for k, (name, it) in enumerate(rows.hits.items())}
    rows = replace(rows, hits=named)
    settings = {name: {"value": name, "reason": name} for name in WORSE}
    card = {"data": dict.fromkeys(WORSE, WORSE[1]), "settings": settings}
    text = card_text(card, {"channels": WORSE, "scaling": {WORSE[4]: WORSE[5]}})
    text += results_section(rows) + evaluation_section(found)
    seen, console, asked, _ = opened(rendered(text))
    assert console == "" and asked == []
    unwanted = {"script", "img", "a", "iframe", "svg", "style", "link", "object", "form"}
    assert not unwanted & {name for name, _ in seen.tags}
    assert len(seen.all("h1")) == 1 and "![i](http://evil.example/a.png)" in seen.words
    raw = opened(rendered(f"## A\n\n{WORSE[1]} {WORSE[4]}"))
    assert raw.asked and "Failed to load" in raw.console  # it would have been seen
