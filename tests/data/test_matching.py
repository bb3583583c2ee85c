"""Series are read as a model of another kind reads them, or refused with what to do."""

import logging

import numpy as np
import pytest
from media_material import ramp, tone

from selftime.data.channels import concatenate
from selftime.data.fingerprints import are_among, fingerprints_of
from selftime.data.images import pixels_of
from selftime.data.matching import match_kind
from selftime.data.mel import sound_kind
from selftime.data.readers import read
from selftime.data.samples import sample
from selftime.data.scaling import fit
from selftime.data.series import SeriesError
from selftime.data.signals import Film, Images, Sound, Text, Wave
from selftime.data.splits import hold_out, split_by_group, split_by_time
from selftime.data.symbols import decode
from selftime.data.windows import batch_of, windows
from selftime.data.writers import write

GREY = np.stack([ramp(8, 8, 1)[..., 0]] * 3)


def test_pictures_of_other_patches_sizes_and_colours(caplog):
    x = read(GREY, kind="images", patch=2, labels=["a", "b", "c"])
    four = match_kind(x, Images(height=8, width=8, patch=4))
    assert four.shape == (3, 16, 4) and four.labels.tolist() == ["a", "b", "c"]
    assert np.array_equal(pixels_of(four)[0], pixels_of(x)[0])
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        small = match_kind(x, Images(height=4, width=6, colours=3, patch=2))
    assert small.shape == (3, 12, 6) and small.ids.tolist() == x.ids.tolist()
    assert "images of 8 x 8 pixels are brought to 4 x 6 pixels in colour" in caplog.text
    again = match_kind(match_kind(x, Images(height=16, width=16, patch=4)), x.kind)
    assert np.abs(pixels_of(again)[0] - pixels_of(x)[0])[:, 2:-2, 2:-2].max() < 0.02


def test_films_of_other_sizes():
    film = read(np.stack([GREY] * 2), kind="film", rate=10)
    other = Film(height=4, width=4, colours=3, rate=10.0)
    assert match_kind(film, other).shape == (2, 48, 3)
    assert match_kind(film, other).times.tolist() == film.times.tolist()
    assert match_kind(film, Film(height=8, width=8, rate=30.0)).kind.rate == 30


def test_texts_of_other_vocabularies(caplog):
    x = read(["abc", "cab"], kind="text", labels=[0, 1], groups=["u", "v"])
    y = match_kind(x, Text(vocabulary=("b", "a", "!")))
    assert [decode(y.series(i)[0], y.kind) for i in range(2)] == ["ab▁", "▁ab"]
    assert y.labels.tolist() == [0, 1] and y.groups.tolist() == ["u", "v"]
    assert "2 of 6 symbols are not in the vocabulary of 3 characters" in caplog.text
    whole = match_kind(y, read(["ab"], kind="text", symbols="bytes").kind)
    assert [decode(whole.series(i)[0], whole.kind) for i in range(2)] == ["ab▁", "▁ab"]
    longer = match_kind(read(["ä!"], kind="text"), whole.kind)
    assert longer.lengths.tolist() == [3] and decode(longer.series(0)[0], longer.kind) == "ä!"


@pytest.mark.parametrize(
    "series, kind, message",
    [
        (sample("Speech")[:2], Wave(rate=16000),
         "got sound at 8,000 Hz as its .*, wanted sound at 16,000 Hz .*kind='wave', rate=16000"),
        (sample("Speech")[:2], sound_kind(8000), "got wave, wanted sound as it was pretrained on"),
        (sample("Digits")[:2], Text(vocabulary=("a",)), "got images, wanted text .*kind='text'"),
        (sample("Film"), Images(height=36, width=64), "got film, wanted images"),
        (sample("JapaneseVowels")[:2], Wave(rate=8000), "got series, wanted wave"),
        (read([tone(100)], kind="sound", rate=8000), Sound(rate=8000, bands=8), "read it again"),
    ],
)  # fmt: skip
def test_other_kinds_are_refused(series, kind, message):
    with pytest.raises(SeriesError, match=message):
        match_kind(series, kind)


def test_sets_of_one_kind_are_joined():
    first, second = (read([text], kind="text") for text in ("abc", "cd"))
    both = concatenate([first, second.of(second, ids=["1"])])
    assert both.kind.vocabulary == ("a", "b", "c", "d")
    assert [decode(both.series(i)[0], both.kind) for i in range(2)] == ["abc", "cd"]
    images = read(GREY, kind="images", patch=2)
    other = read(GREY[:, ::2, ::2], kind="images", patch=4)
    joined = concatenate([images, other.of(other, ids=["u", "v", "w"])])
    assert joined.kind == images.kind and len(joined) == 6
    with pytest.raises(SeriesError, match="got text, wanted images"):
        concatenate([images, second])


def test_forms_of_series_that_have_a_kind():
    digits = sample("Digits")[:4]
    assert read(digits, patch=4).shape == (4, 16, 4)
    assert read(digits, size=16).kind.height == 16
    assert read("sample:Film", size=(18, 32)).kind == Film(height=18, width=32, rate=25.0)
    assert read("sample:Text", symbols="bytes").kind.level == "bytes"
    frames = read(sample("Speech")[:3], kind="sound")
    assert frames.kind == sound_kind(8000)
    assert frames.groups.tolist() == ["jackson", "jackson", "nicolas"]
    assert (
        "symbols='bytes': left aside, since it is not for images"
        in read(digits, kind="images", symbols="bytes").notes
    )
    for asked, message in [
        ({"kind": "text"}, "got images, wanted text"),
        ({"kind": "pictures"}, "got kind='pictures', wanted one of series, images, text"),
        ({"kind": digits.kind, "patch": 2}, "got a complete kind"),
        ({"size": "a"}, "got size='a', wanted pixels of the longer side such as 64"),
        ({"size": (0, 4)}, "wanted pixels of the longer side"),
        ({"patch": 0}, "got patch=0, wanted 1 to 4,096"),
        ({"rate": -1.0}, "got rate=-1.0, wanted samples or frames"),
    ]:
        with pytest.raises(SeriesError, match=message):
            read(digits, **asked)


def test_a_text_is_known_again_by_another_vocabulary():
    known = np.unique(fingerprints_of(read(["some text", "another one"], kind="text")))
    few = read(["some text", "some test"], kind="text")
    assert are_among(few, known).tolist() == [True, False]


@pytest.mark.parametrize("name", ["Digits", "Speech", "Text", "Film"])
def test_splits_windows_and_the_leak_guard_work_on_every_kind(name, tmp_path):
    x = sample(name)
    if len(x) > 1:
        rest, judged = hold_out(x, 0.25)
        assert rest.kind == judged.kind == x.kind and len(rest) + len(judged) == len(x)
        assert not are_among(judged, np.unique(fingerprints_of(rest))).any()
        part = rest[:40]
    else:
        part, later = split_by_time(x, (0.5, 0.5))
        assert later.kind == x.kind and not are_among(later, fingerprints_of(part)).any()
    if name == "Speech":
        some, others = split_by_group(x, 0.5, np.random.default_rng(0))
        assert not set(some.groups) & set(others.groups)
    back = read(write(part, tmp_path / "a.npz"))
    assert back.kind == part.kind and back.fingerprint() == part.fingerprint()
    assert are_among(back, np.unique(fingerprints_of(part))).all()
    batch = batch_of(part[:1])
    scaled = fit(part).apply(batch)
    assert scaled.values.isfinite().all()
    assert (scaled.values == batch.values).all() == (name == "Text")
    if x.kind.in_time:
        cut = windows(part, 20, stride=20).select([0, 1])
        assert cut.kind == x.kind and cut.lengths.tolist() == [20, 20]


@pytest.mark.parametrize("name", ["Digits", "Speech", "Text", "Film"])
def test_writers_say_what_they_cannot_keep(name, tmp_path, caplog):
    x = sample(name)[:2]
    if name in ("Digits", "Film"):
        with pytest.raises(SeriesError, match="which a csv has no columns for: write .npz"):
            write(x, tmp_path / "a.csv")
    else:
        back = read(write(x, tmp_path / "a.csv"), kind="text" if name == "Text" else None)
        assert "write .npz to keep it" in caplog.text
        assert np.allclose(back.steps, x.steps) and (name == "Text") == (back.kind == x.kind)
    with pytest.raises(SeriesError, match="which a .ts does not hold: write .npz"):
        write(x, tmp_path / "a.ts")
    head = ["unique_id", "label"] if name == "Digits" else ["unique_id"]
    if name != "Speech":
        assert list(x.to_columns()) == [*head, "steps"]
    assert x.kind.words in repr(x) and x.kind.words in x._repr_html_()
