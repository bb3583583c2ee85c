"""The page in a browser: from no label to a better probe by keyboard alone; it asks nobody else."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import uvicorn
from browser_material import system_browser
from playwright.sync_api import Browser, Page
from sight_material import series_of_kind
from studio_material import TOKEN, awkward, recording, waves

import selftime as st
from selftime.studio.app import make_studio
from selftime.studio.collection import Collection
from selftime.studio.session import LabelSession
from selftime.web.sockets import listen

pytestmark = [pytest.mark.slow, pytest.mark.long]
CONTRAST = """() => {
const numbers = (text) => (text.match(/[\\d.]+/g) ?? [0, 0, 0]).map(Number);
const light = (c) => {
  const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const [r, g, b] = c.map((v) => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b;
};
const backOf = (node) => {
  for (let n = node; n; n = n.parentElement) {
    const c = numbers(getComputedStyle(n).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const found = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let text = walk.nextNode(); text; text = walk.nextNode()) {
  const own = text.parentElement;
  if (!text.textContent.trim() || !own.checkVisibility()) continue;
  if (own.closest(".unseen, script, option, [disabled]")) continue;
  const style = getComputedStyle(own);
  const colour = own instanceof SVGElement ? style.fill : style.color;
  const [a, b] = [light(numbers(colour)), light(backOf(own))].sort((x, y) => y - x);
  found.push([(a + .05) / (b + .05), text.textContent.trim().slice(0, 30)]);
}
return found.sort((x, y) => x[0] - y[0]).slice(0, 3);
}"""
NAMELESS = """() => [...document.querySelectorAll("button, input, select, canvas, [role=option]")]
  .filter((one) => one.checkVisibility() && (one.tagName !== "CANVAS" || one.tabIndex === 0))
  .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
  .map((one) => one.outerHTML.slice(0, 90))"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Opened(NamedTuple):
    """A page on a studio.

    Attributes:
        page: of the browser.
        said: every line of the console, and errors that nothing caught.
        asked: addresses that it asked for, at other places than its own.
    """

    page: Page
    said: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of the system, with a profile of its own that goes when it is closed."""
    with system_browser() as started:
        yield started


class Served:
    """A studio behind a socket, in a thread."""

    def __init__(self, model, series, folder: Path, **how):
        collection = Collection(model, series, **how)
        self.session = LabelSession(folder, collection.entries, empty=True)
        self.app = make_studio(collection, self.session, TOKEN)
        self.listener = listen("127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        config = uvicorn.Config(self.app, log_level="warning", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))
        self.thread.start()

    def close(self):
        self.app.state.desk.end()
        self.server.should_exit = True
        self.thread.join(20)
        self.listener.close()
        self.session.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a studio on series, and a page on it."""
    kept = []

    def open_page(model, series, *, size=(1280, 900), scheme="light", **how):
        served = Served(model, series, tmp_path / "session", **how)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        kept.append((served, context))
        found = Opened(context.new_page(), [], [])
        page = found.page
        page.on("console", lambda message: found.said.append(message.text))
        page.on("pageerror", lambda error: found.said.append(f"Uncaught {error}"))

        def note(request):
            if not re.match(rf"{served.origin}|blob:|data:", request.url):
                found.asked.append(request.url)

        page.on("request", note)
        page.goto(f"{served.origin}/?token={TOKEN}")
        wait(page, "performance.getEntriesByName('map drawn').length > 0")
        wait(page, "document.querySelectorAll('#alike button').length > 0")
        return found

    yield open_page
    for served, context in kept:
        context.close()
        served.close()


def wait(page, holds, arg=None, seconds=20):
    """Wait until something holds; asked from outside, as the page lets nothing be evaluated."""
    end = time.monotonic() + seconds
    while not page.evaluate(holds, arg):
        assert time.monotonic() < end, (holds, page.text_content("body")[:1500])
        page.wait_for_timeout(30)


def tally(page, count):
    """Wait until so many labels are counted."""
    wait(page, "(n) => document.querySelector('#tally b')?.textContent === n", str(count))


def reads(page, id, text):
    """Wait until an element begins with a text."""
    given = [id, text]
    wait(page, "([id, text]) => document.getElementById(id).textContent.startsWith(text)", given)


def look_good(page):
    """Everything that is read stands out, everything has a name, nothing sticks out."""
    worst = page.evaluate(CONTRAST)
    assert worst[0][0] >= 4.5, worst
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(OVERFLOW) == 0


def name_on(page):
    return page.text_content("#series-name")


def wait_for_other(page, name):
    wait(page, "(n) => document.getElementById('series-name').textContent !== n", name)


def test_from_empty_to_twenty_labels_to_a_better_probe_by_keyboard_alone(opened, browser, tmp_path):
    series = st.sample("JapaneseVowels", "train")
    speakers = dict(zip(series.ids.tolist(), series.labels.tolist(), strict=True))
    model = st.pretrain(series, encoder="quantiles")
    page, said, asked = opened(model, series)
    known, shares = [], {}
    for count in range(1, 21):
        name = name_on(page)
        speaker = f"speaker {speakers[name]}"
        if speaker in known:
            page.keyboard.press(str(known.index(speaker) + 1))
        else:
            page.keyboard.press("n")
            page.keyboard.type(speaker)
            page.keyboard.press("Enter")
            known.append(speaker)
        wait_for_other(page, name)
        tally(page, count)
        if count in (6, 20):
            shares[count] = share_right(page, speakers, series, known, count)
    assert shares[20] > shares[6] + 0.2
    wait(page, "document.querySelector('#curve text:last-child')?.textContent?.startsWith('20')")
    assert re.fullmatch(r"\d+ %", page.text_content("#accuracy"))
    assert re.search(r"right of \d+ held out, \d+ % to \d+ %", page.text_content("#interval"))
    assert page.text_content("#saved") == "all on disk"
    last = name_on(page)
    page.keyboard.press("s")
    wait_for_other(page, last)
    page.keyboard.press("u")
    reads(page, "series-name", last)
    page.keyboard.press("Control+z")
    tally(page, 19)
    page.keyboard.press("Shift+U")
    tally(page, 20)
    page.keyboard.press("c")
    assert page.get_attribute("#by-probe", "aria-pressed") == "true"
    look_good(page)
    with page.expect_download() as come:
        page.keyboard.press("e")
    found = st.read(series, labels=str(tmp_path / "session" / "labels.csv"))
    assert come.value.path().read_bytes() == (tmp_path / "session" / "labels.csv").read_bytes()
    given = {i: label for i, label in zip(found.ids.tolist(), found.labels, strict=True) if label}
    assert len(given) == 20 and all(label == f"speaker {speakers[i]}" for i, label in given.items())
    page.reload()
    tally(page, 20)
    assert said == [] and asked == []


def share_right(page, speakers, series, known, version):
    """How many of all series the probe gets right, once it has learned from so many labels."""
    heads = {"Authorization": f"Bearer {TOKEN}"}
    origin, end = page.evaluate("location.origin"), time.monotonic() + 20
    while True:
        reply = page.request.get(f"{origin}/api/predictions", headers=heads)
        if reply.headers.get("x-version") == str(version):
            break
        assert time.monotonic() < end
        page.wait_for_timeout(50)
    codes = np.frombuffer(reply.body(), "<i2").reshape(2, -1)[0].tolist()
    pairs = zip(series.ids.tolist(), codes, strict=True)
    return np.mean([f"speaker {speakers[name]}" == known[code] for name, code in pairs])


def test_map_lasso_selection_and_its_keys(opened):
    series = waves()
    page, said, asked = opened(st.pretrain(series, encoder="quantiles"), series, scheme="dark")
    box = page.locator("#over").bounding_box()
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]
    page.mouse.move(box["x"] + box["width"] * 0.02, box["y"] + box["height"] * 0.02)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y, steps=6)
    page.mouse.up()
    wait(page, "performance.getEntriesByName('selection').length > 0")
    assert "selected" in page.text_content("#map-facts")
    look_good(page)
    page.keyboard.press("n")
    page.keyboard.type("<b>all</b>")
    page.keyboard.press("Enter")
    wait(page, "Number(document.querySelector('#tally b').textContent) > 40")
    assert "<b>all</b>" in page.text_content("#classes") and not page.query_selector("#classes b")
    page.keyboard.press("u")
    tally(page, 0)
    page.keyboard.press("m")
    before = page.text_content("#tip")
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    assert page.is_visible("#tip") and page.text_content("#tip") != before
    page.keyboard.press("g")
    reads(page, "map-facts", "13 selected")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    reads(page, "series-name", page.text_content("#tip").split(" · ")[0])
    page.keyboard.press("o")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    reads(page, "series-name", "wave-059")
    page.keyboard.press("/")
    page.keyboard.type("wave-007")
    page.wait_for_selector("#found button")
    page.keyboard.press("Enter")
    reads(page, "series-name", "wave-007")
    page.keyboard.press("[")
    reads(page, "series-name", "wave-059")
    page.keyboard.press("?")
    assert page.is_visible("#help") and "undo" in page.text_content("#help")
    look_good(page)
    page.keyboard.press("Escape")
    assert said == [] and asked == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_spans_forecasts_and_anomalies_on_a_narrow_screen(opened, scheme):
    x = recording()
    model = st.pretrain(st.read(x, windows=60), encoder="quantiles")
    page, said, asked = opened(model, x, windows=60, size=(390, 844), scheme=scheme)
    page.keyboard.press("p")
    for key in ("Space", "Shift+ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    reads(page, "alike-title", "Neighbours of steps")
    assert page.locator("#alike button").count() >= 5
    page.keyboard.press("f")
    wait(page, "document.getElementById('reading').textContent.includes('bands of 80 and 95 %')")
    page.keyboard.press("a")
    wait(page, "() => /^\\d+ anomal/.test(document.getElementById('reading').textContent)")
    assert "forecast of" in page.get_attribute("#plot", "aria-label")
    look_good(page)
    assert said == [] and asked == []


def test_awkward_series_break_nothing(opened):
    series = awkward()
    page, said, asked = opened(st.pretrain(series, encoder="quantiles"), series, size=(390, 844))
    for k in range(3):
        page.keyboard.press("n")
        page.keyboard.type(f"<img src=x onerror=alert({k})>")
        page.keyboard.press("Enter")
        tally(page, k + 1)
    wait(page, "!document.getElementById('by-probe').disabled")
    page.keyboard.press("f")
    look_good(page)
    assert not page.query_selector("main script, #classes img") and asked == []
    assert [text for text in said if "422" not in text] == []


def test_what_the_server_does_not_take_is_sent_again(opened):
    series = waves(4)
    page, said, _ = opened(st.pretrain(series, encoder="quantiles"), series)
    page.route("**/api/acts", lambda route: route.abort())
    name = name_on(page)
    page.keyboard.press("n")
    page.keyboard.type("slow")
    page.keyboard.press("Enter")
    reads(page, "saved", "1 not on disk yet")
    assert "waits in this browser" in page.text_content("#banner")
    wait_for_other(page, name)
    page.unroute("**/api/acts")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()  # the browser keeps what waits
    reads(page, "saved", "all on disk")
    assert page.text_content("#tally b") == "1"
    assert all("ERR_FAILED" in text for text in said)


@pytest.mark.parametrize("kind", ["images", "text"])
def test_other_signals_are_shown_as_they_are(opened, kind):
    series = series_of_kind(kind)
    how = {"objective": "simclr", "budget": "1 steps"} if kind == "text" else {}
    encoder = "dilated" if kind == "text" else "quantiles"
    page, said, asked = opened(st.pretrain(series, encoder=encoder, **how), series)
    shown = page.is_visible("#picture") if kind == "images" else page.text_content("#text")
    assert shown and not page.is_visible("#plot") and not page.is_visible("#forecast")
    assert page.locator(".cell img" if kind == "images" else ".cell .symbols").count() > 2
    page.keyboard.press("f")
    look_good(page)
    assert said == [] and asked == []
