"""What docs/store.md shows is what comes, and its table of files is that of a store."""

import re

import numpy as np
import pytest
from session_material import make_files
from sessions import STORE, assert_goes_as_recorded, sections

import selftime as st

TEXT = STORE.read_text(encoding="utf8")
SECTIONS = sections(TEXT)


@pytest.mark.slow
@pytest.mark.parametrize("heading", SECTIONS)
def test_a_session_goes_as_recorded(heading, tmp_path, monkeypatch):
    make_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert_goes_as_recorded(SECTIONS[heading])


def test_every_file_of_a_store_is_named(tmp_path):
    x = st.SeriesSet.of([[1e9 + 1, 1e9 + 2.25], [3.0, np.nan]], ["a", "b"], groups=[1, 2])
    named = set(re.findall(r"`([a-z]+\.(?:npy|json))`", TEXT))
    found = {path.name for path in st.pack(x, tmp_path / "store").iterdir()}
    assert found == named - {"times.npy", "fingerprints.npy"}  # of series with levels
    assert (st.pack(st.sample("ECG"), tmp_path / "plain") / "fingerprints.npy").is_file()
