"""Hostile and broken pictures, texts, sounds and films: mended and said, or an error in words."""

import gzip
import io
import warnings

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from media_material import film, idx, picture, ramp, tone, wav
from PIL import Image

from selftime.data.readers import read
from selftime.data.series import SeriesError, check_series
from selftime.data.signals import Images

few = examples(60)
FRAMES = np.stack([ramp(32, 48) + i for i in range(30)]).astype(np.uint8)


def refused(path, message, **asked):
    with pytest.raises(SeriesError, match=message) as caught:
        read(path, **asked)
    assert str(path.name) in str(caught.value)


def test_a_film_that_is_cut(tmp_path):
    pytest.importorskip("av")
    path = tmp_path / "a.mp4"
    whole = film(FRAMES, place=path)
    assert read(path).lengths.tolist() == [30] and len(read(path).notes) == 1
    path.write_bytes(whole[: len(whole) * 2 // 3])
    x = read(path)
    assert 1 <= x.lengths[0] < 30
    assert f"a.mp4 is cut: {x.lengths[0]} of 30 frames are read" in x.notes
    path.write_bytes(film(FRAMES)[:2000])  # its table of frames stood at the end
    refused(path, "holds no pictures, wanted a film: is it cut")


def test_texts_in_wrong_encodings(tmp_path):
    path = tmp_path / "a.md"
    for data, note in [
        ("Grüße".encode("cp1252"), "which is no UTF-8: the text is read as Latin-1"),
        ("Grüße".encode("utf-16"), "The text is UTF-16"),
    ]:
        path.write_bytes(data)
        x = read(path)
        assert set("Grüße") == set(x.kind.vocabulary) and any(note in said for said in x.notes)
    path.write_bytes(b"")
    refused(path, "is empty, wanted at least one series")
    path.write_bytes(b"a\0b")
    refused(path, "line 1: got a NUL byte, wanted text")


@pytest.mark.late
def test_a_picture_of_a_hundred_megapixels(tmp_path):
    huge = Image.new("L", (10_000, 10_000), 51)
    huge.save(tmp_path / "a.png", compress_level=1)
    size = (tmp_path / "a.png").stat().st_size
    assert size < 1_000_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = read(tmp_path / "a.png", size=16, patch=16)
    assert np.allclose(x.steps, 0.2) and x.kind == Images(height=16, width=16, patch=16)
    refused(
        tmp_path / "a.png", "has 10,000 x 10,000 pixels, which takes about 100 MB", limit="50 MB"
    )


def test_a_large_jpeg_is_decoded_at_a_fraction(tmp_path):
    Image.new("RGB", (3000, 2000), "teal").save(tmp_path / "a.jpg")
    Image.new("RGB", (3000, 2000), "teal").save(tmp_path / "a.png")
    assert read(tmp_path / "a.jpg", limit="1 MB").kind.height == 64
    refused(tmp_path / "a.png", "has 2,000 x 3,000 pixels, which takes", limit="1 MB")


def bomb(width, height):
    """A png of a few bytes whose header promises any number of pixels."""
    data = bytearray(picture(ramp(2, 2, 1)))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def test_headers_that_promise_too_much(tmp_path):
    path = tmp_path / "a.png"
    for sides, message in [
        ((60_000, 60_000), "has more than 179 million pixels"),
        ((13_000, 13_000), "is not a whole picture file"),
        ((2**31 - 1, 1), "more than 179 million pixels"),
    ]:
        path.write_bytes(bomb(*sides))
        refused(path, message)
    path = tmp_path / "t-images-idx3-ubyte"
    head = bytes([0, 0, 8, 3]) + (10**6).to_bytes(4, "big") * 3
    path.write_bytes(head + b"\0" * 100)
    refused(path, "says that it holds 1,000,000 x 1,000,000 x 1,000,000 values")
    path.write_bytes(b"\0\0\1\3")
    refused(path, "is no IDX file")


def test_corrupt_pictures_and_sounds_are_named_in_a_folder(tmp_path):
    (tmp_path / "a.jpg").write_bytes(picture(ramp(16, 16), "jpg"))
    (tmp_path / "b.jpg").write_bytes(picture(ramp(16, 16), "jpg")[:300])
    refused(tmp_path / "b.jpg", "is not a whole picture file")
    with pytest.raises(SeriesError, match="b.jpg: is not a whole picture file"):
        read(tmp_path)
    (tmp_path / "b.jpg").write_bytes(b"no picture at all")
    with pytest.raises(SeriesError, match="b.jpg: is no picture that can be read, wanted png"):
        read(tmp_path)
    (tmp_path / "c.wav").write_bytes(wav(tone(100))[:30])
    refused(tmp_path / "c.wav", "is not a whole wav file", kind="sound")


def test_folders_that_mix_kinds(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture(ramp(4, 4)))
    (tmp_path / "c.csv").write_text("u,v\n1,2\n3,4\n5,6\n")
    x = read(tmp_path)
    assert x.ids.tolist() == ["c.csv"] and x.kind.name == "series"
    assert any(
        "2 files of another kind are left out, such as a.png; kind='images'" in note
        for note in x.notes
    )
    assert read(tmp_path, kind="images").ids.tolist() == ["a.png", "b.png"]
    for i in range(10):
        (tmp_path / f"d{i}.png").write_bytes(picture(ramp(4, 4)))
    x = read(tmp_path)
    assert len(x) == 12 and "such as c.csv; kind='series' reads them instead" in " ".join(x.notes)
    with pytest.raises(SeriesError, match="holds no file of sound, wanted some"):
        read(tmp_path, kind="sound")
    with pytest.raises(SeriesError, match="c.csv: is no file of images as a.png is"):
        read([tmp_path / "a.png", tmp_path / "c.csv"])
    refused(tmp_path / "a.png", "ends in '.png', wanted one of .wav, .flac", kind="sound")
    refused(tmp_path / "a.png", "ends in '.png', wanted one of .ts, .tsv", kind="series")


VALID = {
    "png": picture(ramp(6, 5)),
    "jpg": picture(ramp(9, 9), "jpg"),
    "gif": picture(ramp(6, 5), "gif"),
    "bmp": picture(ramp(6, 5), "bmp"),
    "webp": picture(ramp(6, 5), "webp"),
    "md": "Wörter und Sätze.\n".encode(),
    "images-idx3-ubyte": idx(ramp(6, 5, 1).reshape(2, 3, 5)),
}


def packed(suffix):
    """A sound file of a kind that soundfile writes."""
    soundfile, file = pytest.importorskip("soundfile"), io.BytesIO()
    soundfile.write(file, tone(300, seconds=0.05) / 32768, 8000, format=suffix)
    return file.getvalue()


def files():
    """A valid file of each ending, made when it is asked for."""
    sounds = {suffix: packed(suffix) for suffix in ("flac", "ogg", "mp3")}
    films = {suffix: film(FRAMES[:5, :16, :16], suffix) for suffix in ("mp4", "avi", "mkv")}
    return VALID | sounds | films


def outcome(path, data, **asked):
    """Series that hold, or a SeriesError that names the file: never another error or warning."""
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            check_series(read(path, **asked))
        except SeriesError as error:
            assert path.name in str(error)


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory):
    pytest.importorskip("av")
    return tmp_path_factory.mktemp("media"), files()


@pytest.mark.parametrize("suffix", [*VALID, "flac", "ogg", "mp3", "mp4", "avi", "mkv"])
def test_damaged_media(suffix, undamaged):
    folder, valid = undamaged
    name = f"a-{suffix}" if "idx" in suffix else f"a.{suffix}"
    data = valid[suffix]
    assert len(read(write_to(folder / name, data))) >= 1
    assert len(read(write_to(folder / f"{name}.gz", gzip.compress(data)))) >= 1

    @few
    @given(
        where=st.floats(0, 1), put=st.binary(max_size=4), cut=st.integers(0, 9), end=st.booleans()
    )
    def damage(where, put, cut, end):
        i = int(where * len(data))
        outcome(folder / name, data[:i] + put + (b"" if end else data[i + cut :]))

    damage()


def write_to(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["sound", "wave", "text", "images", "film"])
@pytest.mark.parametrize("suffix", [".csv", ".npz", ".npy", ".wav", ".png", ".txt"])
def test_any_bytes_asked_for_as_any_kind(kind, suffix, tmp_path):
    rows = "text,label\nabc def,1\nghi,2\n"
    file = io.BytesIO()
    np.savez(file, x=np.zeros((2, 3, 4)), kind='{"name": "images", "height": 5}')
    for data in (b"\0\1\2", rows.encode(), file.getvalue(), wav(tone(90)), VALID["png"]):
        outcome(tmp_path / f"a{suffix}", data, kind=kind)
