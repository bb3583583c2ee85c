"""The page in a browser: it draws, answers to pointer and keys, and neither complains nor loads."""

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

import selftime as st
from report_material import HOSTILE, Seen, a_run, full_content, some_vectors
from selftime.report.page import Content, page

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--enable-logging=stderr",
    "--v=0",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=3000",
]
USE = """
const told = {};
const words = () => document.querySelector(".shown h3").textContent;
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
document.body.replaceChildren(JSON.stringify(told));
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    path = next(filter(None, found), None)
    return path or pytest.skip("no browser found: install chromium to run this test")


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page; returns what it became and what the console said."""

    def open_page(text: str, *more: str) -> tuple[Seen, str]:
        target = tmp_path / "report.html"
        target.write_text(text, encoding="utf8")
        command = [browser, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *more]
        done = subprocess.run(
            [*command, "--dump-dom", target.as_uri()], capture_output=True, timeout=60, check=True
        )
        said = done.stderr.decode("utf8", "replace")
        return Seen(done.stdout.decode("utf8")), "\n".join(re.findall(r".*CONSOLE.*", said))

    return open_page


def test_full_page_draws_itself_and_complains_of_nothing(opened):
    content = full_content()
    seen, console = opened(page(content))
    assert console == ""
    assert not seen.all("img") and len(seen.all("script")) == 2
    kinds = [a.get("class", "") for _, a in seen.tags]
    assert kinds.count("ring") == 1 and kinds.count("tie") == 3 + 4  # neighbours; rows of results
    assert kinds.count("lane") == 2 and content.series.ids[0] in seen.words
    assert "Most alike to the model" in seen.words


def test_console_is_heard(opened):
    """What the other tests find empty does fill when something goes wrong."""
    text = page(full_content())
    _, console = opened(text.replace('id="points"', 'id="gone"'))
    assert "Uncaught TypeError" in console
    _, console = opened(text.replace("</main>", '<img src="https://example.org/a.png"></main>'))
    assert "Content Security Policy" in console
    _, console = opened(text.replace("</main>", "<script>alert(1)</script></main>"))
    assert "Content Security Policy" in console


def test_map_answers_to_pointer_and_keys(opened):
    content = full_content()
    ids = [" ".join(name.split()) for name in content.series.ids]
    text = re.sub(r"<meta http-equiv.*?>", "", page(content), count=1)
    text = text.replace("</body>", f"<script>{USE}</script></body>")
    seen, console = opened(text, "--window-size=500,900")
    assert console == ""
    told = json.loads(seen.words[seen.words.index('{"first"') :])
    assert [told[k] for k in ("first", "hovered", "clicked")] == [ids[0], ids[4], ids[5]]
    assert [told[k] for k in ("held", "firm", "freed")] == [ids[5], True, ids[0]]
    data = json.loads(re.search(r'id="series">(.*?)</script>', text).group(1))
    right = ids.index(told["right"])
    assert data["places"][right][0] > data["places"][0][0]
    assert told["alike"] == ids[data["near"][right][0]]
    assert told["faded"] == 2 and data["labels"][ids.index(told["picked"])] == min(HOSTILE[:3])
    assert told["reading"] == "step 0: 2"
    assert told["overflow"] == 0  # nothing sticks out on a narrow screen


def test_series_are_drawn_as_they_are(opened):
    """The path that the script draws, against the values it was made from."""
    x = np.array([[0.0, 1.0, np.nan, 2.0, np.nan, 4.0, 4.0], [0, 0, 0, 0, 0, 0, 0]])
    series = st.SeriesSet.of([x, x * 100])
    content = Content(run=a_run(), series=series, vectors=some_vectors(2))
    seen, console = opened(page(content))
    assert console == ""
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


def test_bare_page_complains_of_nothing(opened):
    series = st.SeriesSet.of([np.arange(4.0)], ids=["one"])
    bare = Content(run=a_run(), series=series, vectors=some_vectors(1))
    seen, console = opened(page(replace(bare, run=a_run() | {"settings": {}, "versions": {}})))
    assert console == "" and "one" in seen.words and "4 steps" in seen.words
