"""Pictures and films become series of patches and frames, of one size, in one scale."""

import numpy as np
import pytest
import torch
from media_material import film, idx, picture, ramp
from PIL import Image

from selftime.data.images import pixels_of
from selftime.data.matching import match_kind
from selftime.data.pixels import (
    frames_to_steps,
    has_colour,
    in_colours,
    patches_to_pixels,
    pixels_to_patches,
    steps_to_frames,
)
from selftime.data.readers import read
from selftime.data.series import SeriesError
from selftime.data.signals import Film, Images
from selftime.data.windows import batch_of


def test_patches_by_a_plain_loop_in_numpy_and_torch():
    kind = Images(height=4, width=6, colours=3, patch=2)
    x = np.random.default_rng(0).random((2, 3, 4, 6), np.float32)
    loop = np.empty((2, 12, 6), np.float32)
    for b in range(2):
        for t in range(6):
            row, column = divmod(t, 3)
            part = x[b, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            loop[b, :, t] = part.ravel()
    assert np.array_equal(pixels_to_patches(x, kind), loop)
    assert np.array_equal(pixels_to_patches(torch.from_numpy(x), kind).numpy(), loop)
    assert np.array_equal(patches_to_pixels(loop, kind), x)
    films = x[:, None].repeat(5, 1) * np.arange(5, dtype=np.float32).reshape(1, 5, 1, 1, 1)
    steps = frames_to_steps(torch.from_numpy(films))
    assert steps.shape == (2, 72, 5) and steps[1, 7, 3] == 3 * x[1, 0, 1, 1]
    frames = steps_to_frames(steps, Film(height=4, width=6, colours=3))
    assert np.array_equal(frames.numpy(), films)


def test_colours():
    grey = np.full((1, 2, 2, 3), 77, np.uint8)
    assert not has_colour(grey) and not has_colour(grey[..., :1])
    assert has_colour(grey + np.array([0, 0, 20], np.uint8))
    assert not has_colour(grey + np.array([0, 0, 5], np.uint8))
    assert (
        np.allclose(in_colours(grey, 1), 77 / 255) and in_colours(grey[..., :1], 3).shape[-1] == 3
    )
    red = np.array([[[[255, 0, 0]]]], np.uint8)
    assert in_colours(red, 1).item() == pytest.approx(0.299)


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "jpg"])
def test_a_picture_of_each_ending(suffix, tmp_path):
    pixels = ramp(8, 12)
    exact = {"webp": {"lossless": True}}.get(suffix, {})
    (tmp_path / f"a.{suffix}").write_bytes(picture(pixels, suffix, **exact))
    x = read(tmp_path / f"a.{suffix}")
    assert x.kind == Images(height=8, width=12, colours=3, patch=2)
    assert x.shape == (1, 12, 24) and x.observed is None
    found = pixels_of(x)[0][0] * 255
    most = {"jpg": 90, "gif": 30}.get(suffix, 0.01)
    assert np.abs(found - pixels).max() < most
    assert any(f"taken for images by names such as a.{suffix}" in note for note in x.notes)


def test_a_folder_of_pictures_has_labels_and_one_size(tmp_path):
    for i in range(6):
        path = tmp_path / ("cat" if i % 2 else "dog") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture(ramp(8, 8, 1) if i else ramp(10, 20, 1)))
    x = read(tmp_path)
    assert x.ids.tolist() == [f"cat/{i}.png" for i in (1, 3, 5)] + [
        f"dog/{i}.png" for i in (0, 2, 4)
    ]
    assert x.labels.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert x.kind == Images(height=8, width=8, colours=1, patch=2)
    assert "such as 10 x 20 pixels: all are brought to the shape of 8 x 8" in " ".join(x.notes)
    assert np.array_equal(pixels_of(x)[0][0, ..., 0] * 255, ramp(8, 8, 1)[..., 0])
    alike = read(tmp_path / "dog" / "0.png", kind=x.kind)
    assert np.array_equal(alike.steps, x[3].steps)


def test_folders_of_digits_are_classes_and_of_persons_are_groups(tmp_path):
    for folder in ("7", "12", "person 1", "person 2"):
        for i in range(2):
            path = tmp_path / folder.split()[0] / folder / f"{i}.png"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_bytes(picture(ramp(4, 4, 1)))
    (tmp_path / "digits").mkdir()
    for name in ("7", "12"):
        (tmp_path / name).rename(tmp_path / "digits" / name)
    digits = read(tmp_path / "digits")
    assert digits.labels.tolist() == ["12", "12", "7", "7"] and digits.groups is None
    persons = read(tmp_path / "person")
    assert persons.labels is None and set(persons.groups) == {"person 1", "person 2"}


def test_labels_by_a_table_and_by_name(tmp_path):
    for name in ("up_1", "up_2", "down_1", "down_2"):
        (tmp_path / f"{name}.png").write_bytes(picture(ramp(4, 4, 1)))
    assert read(tmp_path, label="name").labels.tolist() == ["down", "down", "up", "up"]
    (tmp_path / "labels.csv").write_text("file,label\nup_1.png,a\ndown_2,b\n")
    assert read(tmp_path).labels.tolist() == [None, "b", "a", None]
    paths = [tmp_path / "up_1.png", tmp_path / "down_1.png"]
    assert read(paths).ids.tolist() == ["up_1.png", "down_1.png"]
    assert len(read(str(tmp_path / "up*.png"))) == 2


def test_sizes_and_patches_are_chosen_and_said(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(picture(ramp(600, 300), "jpg"))
    x = read(path)
    assert (x.kind.height, x.kind.width, x.kind.patch) == (96, 48, 8)
    assert "of 600 x 300 pixels are shrunk to 96 x 48 pixels; size=600 keeps all" in x.notes[1]
    for asked, size, patch in [
        ({"size": 20}, (20, 8), 4), ({"size": (30, 31)}, (32, 32), 4),
        ({"size": "16x24"}, (16, 24), 4),
        ({"size": 600, "patch": 50}, (600, 300), 50), ({"patch": 5}, (95, 50), 5),
    ]:  # fmt: skip
        kind = read(path, **asked).kind
        assert (kind.height, kind.width, kind.patch) == (*size, patch)
    assert "whole patches of 5" in " ".join(read(path, patch=5).notes)


def test_transparency_palettes_16_bits_and_turned_cameras(tmp_path):
    clear = np.dstack([ramp(4, 4), np.full((4, 4), 255, np.uint8)])
    clear[0, 0, 3] = 0
    (tmp_path / "clear.png").write_bytes(picture(clear))
    x = read(tmp_path / "clear.png", patch=1)
    assert np.allclose(pixels_of(x)[0][0, 0, 0], 1) and "is shown on white" in " ".join(x.notes)
    Image.fromarray(ramp(4, 4)).quantize().save(tmp_path / "palette.png")
    assert read(tmp_path / "palette.png").kind.colours == 3
    deep = (np.arange(16, dtype=np.uint16) * 4000).reshape(4, 4)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    found = pixels_of(read(tmp_path / "deep.png", patch=1))[0][0, ..., 0]
    assert np.abs(found - deep / 65535).max() < 1 / 255
    Image.fromarray(ramp(4, 4, 1)[..., 0] > 9).save(tmp_path / "bits.png")
    assert set(read(tmp_path / "bits.png", patch=1).steps[:, 0].tolist()) == {0.0, 1.0}
    turns = {
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: np.rot90,
    }
    for held, turned in turns.items():
        exif = Image.Exif()
        exif[274] = held
        Image.fromarray(ramp(4, 8)).save(tmp_path / "held.png", exif=exif)
        found = pixels_of(read(tmp_path / "held.png", patch=1))[0][0]
        assert np.array_equal(np.rint(found * 255), turned(ramp(4, 8))), held


def test_a_picture_of_one_pixel(tmp_path):
    Image.new("L", (1, 1), 51).save(tmp_path / "a.png")
    x = read(tmp_path / "a.png")
    assert x.kind == Images(height=1, width=1, patch=1)
    assert x.steps.tolist() == [[pytest.approx(0.2)]]


def test_idx_with_labels_beside(tmp_path):
    images = ramp(3 * 5, 4, 1).reshape(3, 5, 4)
    (tmp_path / "t-images-idx3-ubyte").write_bytes(idx(images))
    x = read(tmp_path / "t-images-idx3-ubyte", patch=1)
    assert x.labels is None and x.kind.height == 5
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(idx(np.array([4, 5, 4], np.uint8)))
    for source in (tmp_path / "t-images-idx3-ubyte", tmp_path):
        x = read(source, patch=1)
        assert x.labels.tolist() == [4, 5, 4] and len(x) == 3
        assert "labels are those of t-labels-idx1-ubyte" in x.notes
        assert np.array_equal(np.stack(pixels_of(x))[:, 0, ..., 0] * 255, images)


def test_arrays_of_pictures():
    grey = ramp(6, 4, 1)[..., 0]
    for given, colours in [
        (np.stack([grey, grey]), 1), (np.stack([grey, grey]) / 255, 1), ([grey, grey], 1),
        ({"a": grey, "b": grey}, 1), (np.stack([ramp(6, 4)] * 2), 3),
    ]:  # fmt: skip
        x = read(given, kind="images", patch=2, labels=["x", "y"])
        assert x.kind == Images(height=6, width=4, colours=colours, patch=2)
        assert np.allclose(pixels_of(x)[1][0, ..., 0] * 255, ramp(6, 4)[..., 0])
    assert read({"a": grey, "b": grey}, kind="images").ids.tolist() == ["a", "b"]
    assert x.labels.tolist() == ["x", "y"]
    other = [grey, ramp(12, 8, 1)[..., 0]]
    assert len(read(other, kind="images")) == 2
    assert read(np.stack([grey] * 3), patch=2).kind.name == "images"
    high = read(np.stack([grey]).astype(int) * 17, kind="images")
    assert "are divided by 1,023" in " ".join(high.notes)
    clear = np.dstack([ramp(6, 4), np.zeros((6, 4), np.uint8)])[None]
    assert (read(clear, kind="images").steps == 1).all()
    mixed = read([grey, grey / 255, grey > 9], kind="images", patch=2)
    as_bytes, as_floats, as_bits = pixels_of(mixed)
    assert np.allclose(as_bytes, as_floats) and as_bits.max() == 1
    gaps = np.stack([grey / 255.0])
    gaps[0, 0, 1] = np.nan
    assert (~read(gaps, kind="images").observed).sum() == 1


@pytest.mark.parametrize(
    "given, message",
    [
        (np.zeros((2, 3)), r"for images, wanted numbers of shape \(N,H,W\)"),
        (np.full((1, 2, 2), -1.0), "got pixels from -1 to -1, wanted 0 to 1, or 0 to 255"),
        (np.full((1, 2, 2), 1e6), "wanted 0 to 1, or 0 to 255"),
        (np.array([[["a"]]]), "wanted numbers of shape"),
        ([], "wanted numbers of shape"),
    ],
)
def test_arrays_that_are_no_pictures(given, message):
    with pytest.raises(SeriesError, match=message):
        read(given, kind="images")


def test_tables_and_archives_of_pixels(tmp_path):
    digits = np.arange(2 * 9).reshape(2, 9) % 17
    rows = "\n".join(",".join(map(str, [*row, i])) for i, row in enumerate(digits.tolist()))
    (tmp_path / "a.csv").write_text(rows)
    x = read(tmp_path / "a.csv", kind="images", patch=3)
    assert x.kind == Images(height=3, width=3, patch=3) and x.labels.tolist() == [0, 1]
    assert np.allclose(x.steps * 16, digits)
    head = ",".join(["label", *(f"pixel{i}" for i in range(8))])
    (tmp_path / "b.csv").write_text(f"{head}\n7,1,2,3,4,5,6,7,8\n9,1,2,3,4,5,6,7,8\n")
    x = read(tmp_path / "b.csv", kind="images", size=(2, 4), patch=2)
    assert x.labels.tolist() == [7, 9] and x.kind.columns == 2
    with pytest.raises(SeriesError, match="has 8 pixels a row, which make no square picture"):
        read(tmp_path / "b.csv", kind="images")
    np.savez(tmp_path / "c.npz", x=digits.reshape(2, 3, 3), y=[3, 4])
    assert read(tmp_path / "c.npz", kind="images").labels.tolist() == [3, 4]
    np.save(tmp_path / "d.npy", digits.reshape(2, 3, 3))
    assert len(read(tmp_path / "d.npy", kind="images")) == 2


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mov", "mkv", "webm"])
def test_a_film_of_each_ending(suffix, tmp_path):
    pytest.importorskip("av")
    level = np.arange(0, 250, 25, dtype=np.uint8)
    frames = np.broadcast_to(level.reshape(10, 1, 1, 1), (10, 48, 64, 3))
    (tmp_path / f"a.{suffix}").write_bytes(film(frames, suffix, rate=10))
    x = read(tmp_path / f"a.{suffix}", size=32)
    assert x.kind == Film(height=24, width=32, colours=1, rate=10.0)
    assert x.shape == (1, 24 * 32, 10) and x.times.tolist() == [i / 10 for i in range(10)]
    assert np.abs(x.steps.mean(axis=1) * 255 - level).max() < 6


def test_folders_of_frames_are_films(tmp_path):
    for name in ("one", "two"):
        for i in range(11):
            path = tmp_path / name / f"frame{i}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture(np.full((4, 6), 10 * i, np.uint8)))
    x = read(tmp_path, kind="film", rate=5)
    assert x.ids.tolist() == ["one", "two"] and x.kind == Film(height=4, width=6, rate=5.0)
    assert np.allclose(x.steps[:11, 0] * 255, 10 * np.arange(11))
    x = read(tmp_path / "one", kind="film")
    assert x.ids.tolist() == ["one"] and "25 frames a second" in " ".join(x.notes)
    assert len(read(tmp_path)) == 22  # pictures, unless a film is asked for
    clips = read(tmp_path, kind="film", windows=4)
    assert clips.ids[1] == "one@4" and clips.kind == x.kind and len(clips) == 4


def test_films_as_arrays():
    x = read(np.zeros((2, 5, 4, 6), np.uint8), kind="film", rate=30, labels=[0, 1])
    assert x.kind == Film(height=4, width=6, rate=30.0) and x.lengths.tolist() == [5, 5]
    x = read([np.zeros((5, 4, 6, 3)), np.ones((3, 4, 6, 3))], kind="film")
    assert x.lengths.tolist() == [5, 3] and batch_of(x).values.shape == (2, 24, 5)


def test_what_is_not_for_pictures_is_refused_or_said(tmp_path):
    with pytest.raises(SeriesError, match="got windows=2 for images, which follow no time"):
        read(np.zeros((2, 4, 4)), kind="images", windows=2)
    (tmp_path / "a.csv").write_text("u,v\n1,2\n3,4\n5,6\n")
    assert "size=4: left aside, since it is not for series" in read(tmp_path, size=4).notes
    np.savez(tmp_path / "a.npz", x=np.zeros((2, 4, 4)), y=[0, 1])
    assert read(tmp_path / "a.npz", kind="images", label="none").labels is None
    hostile = Images(height=10**6, width=10**6, patch=10)
    with pytest.raises(SeriesError, match="is wanted in 1,000,000 x 1,000,000 pixels"):
        match_kind(read(np.zeros((2, 4, 4)), kind="images"), hostile)
