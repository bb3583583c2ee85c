"""What the tests of the report are made of: runs, logs and comparisons, also hostile ones."""

from html.parser import HTMLParser

import numpy as np

import selftime as st
from selftime.report.page.content import Content
from selftime.tasks.comparison.compare import Comparison
from selftime.views.registry import VIEWS

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }} & <!-- ]]> \u2028",
)
RANGES = {
    "spread": (0.5, 1.3, "1 when healthy, 0 when collapsed"),
    "rank": (8.0, float("inf"), "directions in use"),
}
WARNINGS = [{"step": 60, "monitor": "spread", "message": "features collapse: more variance"}]


def a_comparison(budgets=(1, 5, None), draws: int = 4, ahead: float = 0.2) -> Comparison:
    """``ahead``: the share by which the model is more often right than the other rows."""
    rng = np.random.default_rng(0)
    names = ["selftime", "untrained encoder", "raw values", "MiniRocket + ridge"]
    share = {name: 0.6 + (ahead if name == "selftime" else 0) for name in names}
    hits = {
        name: {b: rng.random((1 if b is None else draws, 200)) < share[name] for b in budgets}
        for name in names
    }
    return Comparison(tuple(budgets), hits, {b: 30 if b is None else 3 * b for b in budgets})


def a_run(source: str = "recordings/pumps", **data) -> dict:
    return {
        "command": "pretrain",
        "finished": "2026-01-02T03:04:05+00:00",
        "seconds": 12.5,
        "seed": 3,
        "settings": {
            "objective": {"value": "spectral", "reason": "learns in one pass"},
            "strength": {"value": 1.0, "reason": "given"},
        },
        "data": {"source": source, "series": 12, "channels": 1, "missing": 0.25} | data,
        "versions": {"python": "3.12.0", "selftime": "0.1.0"},
    }


def a_log(steps: int = 10) -> list[dict]:
    """Records as the loop of learning writes them; monitors at every second one."""
    return [
        {
            "step": 10 * k,
            "seconds": 0.5 * k,
            "loss": 2.0 / (k + 1),
            "rate": 0.001,
            "parts": {"invariance": 1.0 / (k + 1), "variance": 1.0 / (k + 1)},
            "gradient_norm": 1.0,
            **({} if k % 2 else {"monitors": {"spread": 1.0 - 0.09 * k, "rank": 20.0 - k}}),
        }
        for k in range(steps)
    ]


def some_series(n: int = 12, *, channels: int = 1, T: int = 40, labels=None, ids=None):
    x = np.random.default_rng(n).normal(size=(n, channels, T)).cumsum(axis=2)
    return st.SeriesSet.of(x, labels, ids=ids)


def some_vectors(n: int = 12) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(n, 16))


def full_content() -> Content:
    """Everything there is, every name in it hostile."""
    n = 12
    ids = [f"{HOSTILE[i % 4]} {i}" for i in range(n)]
    x = np.random.default_rng(0).normal(size=(n, 2, 40)).cumsum(axis=2)
    x[:, 0, 5:9] = np.nan
    labels = [HOSTILE[i % 3] for i in range(n)]
    return Content(
        run=a_run(HOSTILE[0], **{HOSTILE[1]: HOSTILE[2]}),
        series=st.SeriesSet.of(x, labels, ids=ids, channels=HOSTILE[1:3]),
        vectors=some_vectors(n),
        metrics=a_log() + [{"step": 100, "seconds": 9.0, "loss": 0.1, "parts": {HOSTILE[3]: 1.0}}],
        monitor_ranges=RANGES | {"rank": (8.0, float("inf"), HOSTILE[1])},
        warnings=[*WARNINGS, {"step": 80, "monitor": HOSTILE[0], "message": HOSTILE[2]}],
        views={"mild": VIEWS["mild"], HOSTILE[1]: VIEWS["jitter"]},
        comparison=a_comparison(),
    )


class Seen(HTMLParser):
    """Tags, attributes and texts of a page, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] not in ("script", "style"):
            self.texts.append(" ".join(data.split()))

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    @property
    def words(self) -> str:
        """All that can be read."""
        return " ".join(text for text in self.texts if text)

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]
