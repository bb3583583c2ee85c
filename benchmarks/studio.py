"""The studio with 50,000 series, and killed while labels are posted: `python -m benchmarks.studio`.

``large``: series are noisy waves of five speeds, 64 steps each. The studio is a process of its own,
its page runs in headless Chromium on the same machine, 1400 × 900 pixels. Seconds to the first
picture run from the request for the page to the moment at which the map, the series that is looked
at and the first small ones are all drawn, in a fresh context of the browser each time. A selection
runs from the pointer that is let go to the picture that shows it: a lasso around about half of the
map, once while the probe rests and once while it learns. Both need Chromium, which is looked for as
the tests do.

``kills``: a client posts labels one after another as fast as they are acknowledged; the process is
killed (SIGKILL) after a random time of up to 4 seconds, wherever it is then, and started again. At
the end every acknowledged label must be in the log of the session, and another start must show
them.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any, NamedTuple

import numpy as np

import selftime as st
from selftime.engine.model import current_versions

OUT = Path(__file__).parent / "results" / "studio.json"
PAGE = Path(__file__).parents[1] / "docs" / "studio.md"
WORDS = """`python -m benchmarks.studio`, page and server on one machine of {cores} cores
that others used too, Chromium without a GPU. {series:,} series of {steps} steps:

| | median | worst |
|---|---|---|
{lines}

The first start takes {seconds_of_the_first_start_to_its_queue:.0f} s until all vectors, the map and
the queue are there; series are looked at meanwhile. The process holds {memory_mb} MB. Killed
(SIGKILL) at {kills} random moments while labels were posted, it lost {lost} of {acknowledged:,}
acknowledged labels.
"""
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SPEEDS, STEPS = (1.0, 1.7, 2.6, 3.9, 5.5), 64
MARKS = ("map drawn", "overview drawn", "series drawn")


class Studio(NamedTuple):
    """A studio that runs as a process of its own.

    Attributes:
        process: the studio.
        port: where it listens.
        token: that it asks for.
        seconds: from its start to its address.
    """

    process: subprocess.Popen[str]
    port: int
    token: str
    seconds: float

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What a route answers."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        heads = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        words = None if body is None else json.dumps(body)
        line.request("GET" if body is None else "POST", f"/api/{path}", words, heads)
        reply = line.getresponse()
        found = reply.read()
        line.close()
        assert reply.status == 200, found
        return json.loads(found)

    def wait(self, seconds: float = 1200) -> dict[str, Any]:
        """The state once vectors and the first queue are there."""
        end, state = time.monotonic() + seconds, self.ask("news")
        while not (state["ready"] and state["queued"] >= 0):
            assert time.monotonic() < end and not state["failure"], state
            state = self.ask(f"news?since={state['news']}")
        return state


@contextmanager
def studio(model: Path, data: str, session: Path) -> Iterator[Studio]:
    """A studio as a process of its own until the block ends."""
    words = [str(model), data, "--session", str(session), "--port", "0", "--no-open", "--empty"]
    command = [sys.executable, "-m", "selftime", "studio", *words]
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        said = [""]
        while "token=" not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], said
        found = re.search(r":(\d+)/\?token=(\S+)", said[-1])
        yield Studio(process, int(found[1]), found[2], time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stderr.close()


def waves(n: int, seed: int) -> st.SeriesSet:
    """Noisy waves of five speeds."""
    rng = np.random.default_rng(seed)
    speed = np.array(SPEEDS)[np.arange(n) % len(SPEEDS)][:, None]
    t = np.linspace(0, 2 * np.pi, STEPS)
    values = np.sin(speed * t + rng.uniform(0, 6, (n, 1))) + 0.2 * rng.normal(size=(n, STEPS))
    return st.SeriesSet.of(values[:, None].astype(np.float32))


def large(n: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Seconds to the first picture of so many series, and milliseconds of a selection."""
    st.pretrain(waves(1_000, 1), encoder="quantiles").save(folder / "model")
    data = str(st.write(waves(n, 0), folder / "waves.npz"))
    began = time.perf_counter()
    with studio(folder / "model", data, folder / "session") as first:
        first.wait()
        whole = time.perf_counter() - began
    with studio(folder / "model", data, folder / "session") as again:
        again.wait()
        pictures, selections, busy, labels = in_browser(again, repeats)
        memory = memory_of(again.process.pid)
    return {
        "series": n,
        "steps": STEPS,
        "seconds_of_the_first_start_to_its_queue": round(whole, 1),
        "seconds_of_another_start_to_its_address": round(again.seconds, 1),
        "first_picture_seconds": figures(pictures),
        "selection_ms": figures(selections),
        "selection_ms_while_the_probe_learns": figures(busy),
        "label_ms": figures(labels),
        "memory_mb": memory,
    }


def in_browser(one: Studio, repeats: int) -> tuple[list[float], ...]:
    """First pictures in seconds, selections at rest and not, and labels in milliseconds."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f"no browser found: install one of {', '.join(BROWSERS)}"
    pictures, selections, busy, labels = [], list[float](), list[float](), list[float]()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=QUIET)
        for turn in range(repeats):
            context = browser.new_context(viewport={"width": 1400, "height": 900})
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{one.port}/?token={one.token}")
            last = f"Math.max(...{json.dumps(MARKS)}.map((name) => "
            last += "performance.getEntriesByName(name)[0]?.startTime ?? Infinity))"
            while not np.isfinite(found := page.evaluate(last) or np.inf):
                page.wait_for_timeout(20)
            pictures.append(found / 1000)
            page.wait_for_timeout(1500)  # news and thumbs that still come
            rest(one)
            selections += lassos(page)
            for k in range(5):
                began = time.perf_counter()
                body = {"key": f"turn-{turn}-{k}", "kind": "label", "rows": [10 * turn + k]}
                one.ask("acts", body | {"label": f"class {k % 2}"})
                labels.append((time.perf_counter() - began) * 1000)
            busy += lassos(page)
            context.close()
        browser.close()
    return pictures, selections, busy, labels


def rest(one: Studio) -> None:
    """Wait until the probe has nothing to learn."""
    state = one.ask("news")
    while state["probe"].get("judged", {}).get("version", 0) != state["labels"]["version"]:
        state = one.ask(f"news?since={state['news']}")


def lassos(page: Any) -> list[float]:
    """Milliseconds of three selections, each by a lasso around the middle of the map."""
    box = page.locator("#over").bounding_box()
    before = page.evaluate("performance.getEntriesByName('selection').length")
    for k in range(3):
        size, angles = 0.3 + 0.05 * k, np.linspace(0, 2 * np.pi, 60)
        x = box["x"] + box["width"] * (0.5 + size * np.cos(angles))
        y = box["y"] + box["height"] * (0.5 + size * np.sin(angles))
        page.mouse.move(x[0], y[0])
        page.mouse.down()
        for at in zip(x[1:].tolist(), y[1:].tolist(), strict=True):
            page.mouse.move(*at)
        page.mouse.up()
        while page.evaluate("performance.getEntriesByName('selection').length") == before + k:
            page.wait_for_timeout(20)
    found = page.evaluate("performance.getEntriesByName('selection').map((s) => s.duration)")
    page.keyboard.press("Escape")
    return list(found[before:])


def kills(times: int, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Labels that were acknowledged, and those of them that are lost after so many kills."""
    data, rng = "sample:JapaneseVowels:train", np.random.default_rng(seed)
    st.pretrain(st.sample("JapaneseVowels", "train"), encoder="quantiles").save(folder / "vowels")
    acknowledged, moments = list[str](), []
    for turn in range(times):
        with studio(folder / "vowels", data, folder / "killed") as one:
            moments.append(round(float(rng.uniform(0.02, 4.0)), 3))
            ending = Timer(moments[-1], one.process.kill)
            ending.start()
            acknowledged += post_until_killed(one, f"turn-{turn:02}", rng)
            ending.join()
    log = sqlite3.connect(folder / "killed" / "labels.sqlite")
    written = {key for (key,) in log.execute("SELECT key FROM acts")}
    log.close()
    with studio(folder / "vowels", data, folder / "killed") as one:
        version = one.ask("news")["labels"]["version"]
    lost = [key for key in acknowledged if key not in written]
    return {
        "kills": times,
        "seconds_before_each": moments,
        "acknowledged": len(acknowledged),
        "lost": len(lost),
        "written_and_not_acknowledged": len(written) - len(acknowledged) + len(lost),
        "acts_of_another_start": version,
    }


def post_until_killed(one: Studio, name: str, rng: np.random.Generator) -> list[str]:
    """Post labels one after another until nobody answers; keys of those that were acknowledged."""
    line = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
    heads = {"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"}
    found: list[str] = []
    while True:
        key = f"{name}-{len(found):06}"
        body = {"key": key, "kind": "label", "rows": [int(rng.integers(270))]}
        try:
            words = json.dumps(body | {"label": f"class {len(found) % 9}"})
            line.request("POST", "/api/acts", words, heads)
            reply = line.getresponse()
            reply.read()
        except (OSError, http.client.HTTPException):
            line.close()
            return found
        assert reply.status == 200, reply.status
        found.append(key)


def memory_of(process: int) -> int:
    """Megabytes that a process keeps in memory."""
    text = Path(f"/proc/{process}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024)


def figures(values: list[float]) -> dict[str, Any]:
    """Median and worst."""
    return {
        "median": round(float(np.median(values)), 3),
        "worst": round(max(values), 3),
        "of": len(values),
    }


def words_of(found: dict[str, Any]) -> str:
    """What the page on the studio says was measured."""
    large, kills = found["large"], found["kills"]
    rows = {
        "first picture, s": large["first_picture_seconds"],
        "selection by lasso, ms": large["selection_ms"],
        "the same while the probe learns, ms": large["selection_ms_while_the_probe_learns"],
        "a label to its acknowledgement, ms": large["label_ms"],
    }
    lines = [f"| {n} | {row['median']:.3g} | {row['worst']:.3g} |" for n, row in rows.items()]
    large_words = {"cores": found["machine"]["cores"], "lines": "\n".join(lines)} | large
    return WORDS.format(kills=kills["kills"], lost=kills["lost"],
                        acknowledged=kills["acknowledged"], **large_words)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studio", description=__doc__)
    parser.add_argument("parts", nargs="*", default=["large", "kills"], help="large, kills")
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    known = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    before = os.getloadavg()[0]
    with TemporaryDirectory() as place:
        for part in asked.parts:
            if part == "large":
                known[part] = large(asked.series, asked.repeats, Path(place))
            else:
                known[part] = kills(asked.kills, Path(place))
            print(part, json.dumps(known[part]), flush=True)
    machine = {"load_average_before": before, "load_average_after": os.getloadavg()[0]}
    known |= {"made_with": current_versions(), "machine": machine | {"cores": os.cpu_count()}}
    asked.out.write_text(json.dumps(known, indent=1) + "\n")
    if asked.out == OUT and {"large", "kills"} <= known.keys():
        head, rest = PAGE.read_text(encoding="utf8").split(BEGIN)
        text = f"{head}{BEGIN}\n{words_of(known)}{END}{rest.split(END)[1]}"
        PAGE.write_text(text, encoding="utf8")
    print(f"written to {asked.out}")


if __name__ == "__main__":
    main()
