"""Texts become symbols and texts again; vocabularies are matched without guesses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.readers import read
from selftime.data.series import SeriesError
from selftime.data.signals import Text
from selftime.data.symbols import decode, encode

ABC = Text(vocabulary=("a", "b", "c"))
PROSE = "The quick brown fox jumps over the lazy dog, and the dog sleeps on.\nThen it wakes.\n"


@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=4), st.sampled_from(["characters", "bytes"])
)
def test_whatever_is_read_is_decoded_again(texts, level):
    x = read(texts, kind="text", symbols=level)
    assert x.observed is None and x.kind.scaled == "none" and x.kind.level == level
    assert [decode(x.series(i)[0], x.kind) for i in range(len(x))] == texts
    if level == "characters":
        assert x.kind.vocabulary == tuple(sorted(set("".join(texts))))


def test_subwords_are_learned_and_keep_every_letter():
    pytest.importorskip("tokenizers")
    texts = [PROSE * 20, "Zwölf Boxkämpfer 🥊"]
    x = read(texts, kind="text", symbols="subwords")
    assert 256 < x.kind.symbols <= 1000 and x.kind.rules
    assert x.lengths[0] < len(texts[0]) / 3
    assert [decode(x.series(i)[0], x.kind) for i in range(2)] == texts
    again = read(texts, kind="text", symbols="subwords")
    assert again.kind == x.kind and np.array_equal(again.steps, x.steps)
    other = read(["unseen 漢字"], kind=x.kind)
    assert decode(other.series(0)[0], x.kind) == "unseen 漢字"


def test_unknown_symbols_are_missing_and_counted():
    x = read(["abxca", "b?"], kind=ABC)
    assert x.series(0)[0, [0, 1, 3, 4]].tolist() == [0, 1, 2, 0] and np.isnan(x.series(0)[0, 2])
    assert x.notes == ("2 of 7 symbols are not in the vocabulary of 3 characters: they count as "
                       "missing",)  # fmt: skip
    assert [decode(x.series(i)[0], ABC) for i in range(2)] == ["ab▁ca", "b▁"]
    with pytest.raises(SeriesError, match="series '1' has no observed value at all: drop it"):
        read(["a", "?"], kind=ABC)


def test_symbols_beyond_the_vocabulary_are_refused():
    with pytest.raises(SeriesError, match="got symbols 0 to 3, wanted 0 to 2"):
        decode(np.array([0, 3.0]), ABC)
    assert decode(np.array([]), ABC) == "" and encode("", ABC).shape == (0,)
    with pytest.raises(ValueError, match="not of single characters"):
        Text(vocabulary=("ab",))
    with pytest.raises(ValueError, match="not of single bytes"):
        Text(vocabulary=("ā",), level="bytes")


def test_a_file_is_a_series_and_windows_cut_it(tmp_path):
    (tmp_path / "a.txt").write_text(PROSE)
    x = read(tmp_path / "a.txt")
    assert x.shape == (1, 1, len(PROSE)) and x.kind.symbols == len(set(PROSE))
    assert "taken for text by what is in them" in x.notes[0]
    cut = read(tmp_path / "a.txt", windows=20)
    assert cut.ids[1] == "0@20" and decode(cut.series(1)[0], cut.kind) == PROSE[20:40]
    assert cut.kind == x.kind
    (tmp_path / "b.md").write_bytes(b"# Caf\xe9 au lait\r\n")
    both = read(tmp_path)
    assert both.ids.tolist() == ["a.txt", "b.md"]
    assert decode(both.series(1)[0], both.kind) == "# Café au lait\n"
    assert "Line 1 holds byte 0xe9, which is no UTF-8: the text is read as Latin-1" in both.notes[1]
    assert read([str(tmp_path / "a.txt")]).ids.tolist() == ["a.txt"]


@pytest.mark.parametrize(
    "content, kind",
    [
        ("1\n2\n3\n", "series"), ("0.5 1 2\n", "series"), ("To be, or not to be.\n", "text"),
        ("date u v\n2024-01-01 1 2\n2024-01-02 3 4\n", "series"), ("a,b\n1,2\n3,4\n", "series"),
        ("Chapter 1\n\nIt was 1984.\n", "text"), ("x;label\n1,5;up\n2,5;down\n", "series"),
    ],
)  # fmt: skip
def test_prose_is_told_from_numbers(content, kind, tmp_path):
    (tmp_path / "a.txt").write_text(content)
    assert read(tmp_path / "a.txt").kind.name == kind


def test_texts_of_tables(tmp_path):
    frame = pd.DataFrame(
        {"id": [1, 2, 3], "review": ["good and cheap", "it broke after a day", ""],
         "label": ["up", "down", "up"], "stars": [5, 1, 3]}
    )  # fmt: skip
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    for source in (frame, tmp_path / "a.csv", tmp_path / "a.parquet"):
        x = read(source, kind="text")
        assert x.ids.tolist() == [1, 2] and x.labels.tolist() == ["up", "down"]
        assert decode(x.series(1)[0], x.kind) == "it broke after a day"
        assert "texts are those of column 'review'" in " ".join(x.notes)
        assert "1 row without a text: left out" in x.notes
    x = read(frame, kind="text", channels=["label"], label="none")
    assert decode(x.series(0)[0], x.kind) == "up" and x.labels is None
    x = read(frame["review"][:2], kind="text", labels=["a", "b"])
    assert x.labels.tolist() == ["a", "b"]
    for asked, message in [
        ({"channels": ["nothing"]}, "wanted the one column of texts among 'id', 'review'"),
        ({"label": "grade"}, "column 'grade' is missing, got 'id'"),
    ]:
        with pytest.raises(SeriesError, match=message):
            read(frame, kind="text", **asked)
    with pytest.raises(SeriesError, match="holds no column of texts among 'stars'"):
        read(frame[["stars"]], kind="text")


@pytest.mark.parametrize(
    "given, message",
    [(["a", ""], "text 1 is an empty text"), ([3], "text 0 is int, wanted a string")],
)
def test_what_is_no_text(given, message):
    with pytest.raises(SeriesError, match=message):
        read(given, kind="text")


def test_half_letters_and_zeros_are_texts():
    x = read(["a\ud800b", "\0"], kind="text")
    assert decode(x.series(0)[0], x.kind) == "a?b" and decode(x.series(1)[0], x.kind) == "\0"


def test_names_of_files_that_are_not_there_are_said():
    with pytest.raises(SeriesError, match="no such file or folder.*; texts come in a list"):
        read("to be or not to be", kind="text")
    assert read(["lost.txt", "b"], kind="text").notes == (
        "'lost.txt' is no file, so it is taken for a text",
    )


def test_damaged_rules_of_subwords_are_refused():
    pytest.importorskip("tokenizers")
    kind = read([PROSE], kind="text", symbols="subwords").kind
    for rules in ("", "7", "[[1, 2, 3]]", '[["a", "unseen"]]', kind.rules[:-9]):
        with pytest.raises(SeriesError, match="the rules of the subwords are damaged"):
            encode("a", replace(kind, rules=rules))
    with pytest.raises(SeriesError, match="lacks 251 of the 256 bytes"):
        encode(PROSE, replace(kind, vocabulary=kind.vocabulary[:5]))
