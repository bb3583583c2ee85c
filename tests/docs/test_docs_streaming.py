"""The page on streams: its Python runs, and what it says of memory and reach is so."""

import re
from pathlib import Path

import pytest

import selftime as st
from selftime.encoders.builders import BUILDERS
from selftime.encoders.streaming.streamable import stream_steps

TEXT = (Path(__file__).parents[2] / "docs" / "streaming.md").read_text(encoding="utf8")


@pytest.mark.slow
def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(compile(block, "streaming.md", "exec"), names)
    assert names["vectors"].shape == (100, 320) and names["again"].steps == 1


def test_sizes_that_the_page_names():
    reader = stream_steps(BUILDERS["dilated_causal"](channels=1, length=100), 1)
    assert f"{reader.reach:,} for `dilated_causal`" in TEXT
    assert f"{sum(held.nbytes for held in reader.memory().values()) / 1e6:.1f} MB a stream" in TEXT


def test_names_on_the_page_are_options():
    words = set(re.findall(r"(?<!-)--[a-z][a-z-]*", TEXT))
    page = (Path(st.__file__).parent / "cli" / "watch.py").read_text(encoding="utf8")
    assert words and all(f'"{word}"' in page for word in words)
