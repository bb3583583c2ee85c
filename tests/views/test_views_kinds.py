"""Views of pictures, films, sounds and texts beside plain loops, and laws of all views by kind."""

import inspect

import pytest
import torch
from torch import Generator

from selftime.data.batch import Batch
from selftime.data.pixels import patches_to_pixels
from selftime.data.signals import Film, Images, Measurements, Sound, Text, Wave
from selftime.objectives.cpc import Ahead
from selftime.views.amplitude import lit
from selftime.views.masks import band_mask
from selftime.views.mild import Mild
from selftime.views.pairs import Fixed, Independent, RandomCrop, WeakStrong, same
from selftime.views.pictures import crops, mirrored, outside_hole, reframed, tinted
from selftime.views.registry import strengths_for, suited, view_of, views_for
from selftime.views.timing import swapped_neighbours

PICTURE = Images(height=8, width=12, colours=3, patch=4)
FILM = Film(height=4, width=6, colours=3)
KINDS = {
    "images": (PICTURE, 48, 6),
    "film": (FILM, 72, 7),
    "text": (Text(vocabulary=tuple("abcdefgh")), 1, 40),
    "sound": (Sound(rate=8000, bands=10), 10, 30),
    "wave": (Wave(rate=8000), 1, 60),
}
EVERY = [(kind, name) for kind in KINDS for name in strengths_for(KINDS[kind][0])]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def series_of(name: str, count: int = 4, *, gaps: bool = True) -> Batch:
    kind, C, T = KINDS[name]
    values = torch.randn(count, C, T, generator=seeded(1))
    if kind.symbols:
        values = torch.randint(kind.symbols, (count, C, T), generator=seeded(1)).float()
    observed = torch.ones(count, C, T, dtype=torch.bool)
    if kind.in_time and gaps:
        observed[0, :, T - 2 :] = False
    if gaps:
        observed[1] = torch.rand(C, T, generator=seeded(2)) < 0.8
        observed[1, :, -1] = True
    return Batch(values, observed)


def seen(x: Batch) -> torch.Tensor:
    return x.values.masked_fill(~x.observed, 0)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_laws_of_views(kind: str, name: str) -> None:
    x, views = series_of(kind), strengths_for(KINDS[kind][0])[name].views
    before = Batch(*(part.clone() for part in x))
    for view in views:
        y = view(x, seeded(3))
        assert y.values.shape == x.values.shape and y.values.dtype == x.values.dtype
        assert seen(y).isfinite().all() and torch.equal(y.lengths, x.lengths)
        assert all(map(torch.equal, x, before)), "the input was written into"
        other = view(x._replace(values=x.values.where(x.observed, 1e6)), seeded(3))
        assert torch.equal(other.observed, y.observed) and torch.equal(seen(other), seen(y))


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_each_series_is_drawn_anew_and_says_what_is_done(kind: str, name: str) -> None:
    view = views_for(KINDS[kind][0])[name]
    one = series_of(kind, 1, gaps=False)
    x = Batch(*(part.expand(24, -1, -1) for part in one))
    y = view(x, seeded())
    same_as_first = ((y.values == y.values[:1]) & (y.observed == y.observed[:1])).flatten(1).all(1)
    assert not same_as_first.all(), "every copy is the same"
    if isinstance(view, Fixed):
        first = (inspect.getdoc(view) or "").splitlines()[0]
        assert 15 < len(first) < 90 and first.endswith(".")


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_view_at_strength_0_changes_nothing(kind: str) -> None:
    x = series_of(kind)
    y = view_of(KINDS[kind][0], strength=0.0)(x, seeded())
    assert torch.equal(y.observed, x.observed)
    torch.testing.assert_close(seen(y), seen(x), rtol=1e-5, atol=1e-5)


def test_views_of_a_text_leave_symbols_symbols() -> None:
    x = series_of("text")
    for view in views_for(KINDS["text"][0]).values():
        y = view(x, seeded())
        assert torch.equal(y.values, y.values.round())
        assert set(seen(y).unique().tolist()) <= set(seen(x).unique().tolist())
        for row in range(len(x.values)):  # nothing is made, only moved and hidden
            left = torch.bincount(y.values[row][y.observed[row]].long(), minlength=9)
            had = torch.bincount(x.values[row][x.observed[row]].long(), minlength=9)
            assert (left <= had).all()


def read_by_loop(
    planes: torch.Tensor, mask: torch.Tensor, size: torch.Tensor, offset: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels of one picture (P,H,W) at size · u + offset, u the middle of each pixel in −1 to 1."""
    P, H, W = planes.shape
    values, observed = torch.zeros_like(planes), torch.zeros_like(mask)
    for p, i, j in ((p, i, j) for p in range(P) for i in range(H) for j in range(W)):
        at = []
        for side, k, s, o in ((H, i, size[0], offset[0]), (W, j, size[1], offset[1])):
            u = float(s) * ((2 * k + 1) / side - 1) + float(o)
            at.append(min(max(((u + 1) * side - 1) / 2, 0.0), side - 1.0))
        y, x = int(at[0]), int(at[1])
        total = weight = 0.0
        for a, b in ((a, b) for a in (0, 1) for b in (0, 1)):
            row, column = min(y + a, H - 1), min(x + b, W - 1)
            w = abs(1 - a - (at[0] - y)) * abs(1 - b - (at[1] - x)) * float(mask[p, row, column])
            total, weight = total + w * float(planes[p, row, column]), weight + w
        values[p, i, j] = total / weight if weight else 0.0
        observed[p, i, j] = mask[p, round(at[0]), round(at[1])]
    return values, observed


def test_reframed_pictures_equal_a_loop() -> None:
    kind, x = PICTURE, series_of("images", 2)
    size, offset = torch.tensor([[0.61, 0.83], [1.0, 0.7]]), torch.tensor([[0.2, -0.11], [0.31, 0]])
    y = reframed(x, kind, size, offset)
    for row in range(2):
        planes, mask = (patches_to_pixels(part.float(), kind)[row] for part in x)
        values, observed = read_by_loop(planes.double(), mask > 0, size[row], offset[row])
        got, told = (patches_to_pixels(part.float(), kind)[row] for part in y)
        assert torch.equal(told > 0, observed)
        torch.testing.assert_close(
            got.where(observed, 0.0), values.where(observed, 0.0).float(), rtol=1e-5, atol=1e-5
        )


def test_all_frames_of_a_film_move_alike() -> None:
    one = torch.randn(1, 72, 1, generator=seeded()).expand(2, -1, 5)
    x = Batch(one, torch.ones(2, 72, 5, dtype=torch.bool))
    for name in ("crop_picture", "shift_picture", "mirror", "cut_out", "tint", "light"):
        y = views_for(FILM)[name](x, seeded())
        assert torch.equal(y.values, y.values[:, :, :1].expand(-1, -1, 5))
        assert torch.equal(y.observed, y.observed[:, :, :1].expand(-1, -1, 5)) or name == "cut_out"


def test_crops_fit_and_the_whole_picture_is_the_largest() -> None:
    area, ratio = torch.rand(2, 500, generator=seeded())
    lies = torch.rand(500, 2, generator=seeded(1))
    size, offset = crops(area.clamp(min=0.05), ratio, lies)
    torch.testing.assert_close(size.prod(dim=1), area.clamp(min=0.05))
    assert (size.abs() + offset.abs() <= 1 + 1e-6).all()
    assert (size[:, 1] / size[:, 0]).log().abs().max() <= torch.tensor(4 / 3).log() + 1e-5
    whole = crops(torch.ones(500), ratio, lies)
    assert torch.equal(whole[0], torch.ones(500, 2)) and torch.equal(whole[1], torch.zeros(500, 2))


def test_mirrors_tints_and_holes_by_hand() -> None:
    x = series_of("images", 2, gaps=False)
    before = patches_to_pixels(x.values, PICTURE)
    turned = mirrored(x, PICTURE, torch.tensor([True, False]))
    after = patches_to_pixels(turned.values, PICTURE)
    assert torch.equal(after[0], before[0].flip(2)) and torch.equal(after[1], before[1])
    offsets = torch.tensor([[1.0, 0.0, -2.0], [0.0, 0.5, 0.0]])
    more = patches_to_pixels(tinted(x, PICTURE, offsets).values, PICTURE) - before
    std = x.values.flatten(1).std(dim=1, correction=0)
    torch.testing.assert_close(
        more, (std[:, None] * offsets)[:, :, None, None].expand_as(more), rtol=1e-4, atol=1e-5
    )
    keep = outside_hole(x, PICTURE, torch.tensor([[0.0, 0.0], [0.99, 0.5]]), 0.5)
    hole = patches_to_pixels((~keep).float(), PICTURE)
    first, second = torch.zeros(8, 12), torch.zeros(8, 12)
    first[:4, :6], second[4:, 3:9] = 1, 1
    assert torch.equal(hole[0], first.expand(3, 8, 12))
    assert torch.equal(hole[1], second.expand(3, 8, 12))


def test_light_equals_a_loop() -> None:
    x = series_of("sound")
    by, times = torch.tensor([0.5, -1.0, 0.0, 2.0]), torch.tensor([1.0, 0.5, 1.5, 1.0])
    y = lit(x, by, times)
    for row in range(4):
        own = x.values[row][x.observed[row]].double()
        mean, std = own.mean(), own.std(correction=0)
        wanted = mean + (own - mean) * times[row] + std * by[row]
        torch.testing.assert_close(y.values[row][x.observed[row]], wanted.float())


def test_bands_are_neighbours_and_at_most_the_share() -> None:
    x = series_of("sound", 200, gaps=False)
    gone = ~band_mask(x, seeded(), share=0.4).observed[:, :, 0]
    assert gone.sum(dim=1).max() == 4 and gone.any(dim=1).any() and gone.any(dim=0).all()
    borders = (gone[:, 1:] != gone[:, :-1]).sum(dim=1)
    assert (borders + gone[:, 0].long() + gone[:, -1].long() <= 2).all()


def test_neighbours_swap_by_hand() -> None:
    x = Batch(torch.arange(7.0).repeat(2, 1, 1), torch.ones(2, 1, 7, dtype=torch.bool))
    x.observed[0, 0, 2] = False
    y = swapped_neighbours(x, torch.ones(2, 7, dtype=torch.bool), torch.tensor([False, True]))
    assert y.values[:, 0].tolist() == [[1, 0, 3, 2, 5, 4, 6], [0, 2, 1, 4, 3, 5, 6]]
    assert y.observed[0, 0].tolist() == [True, True, True, False, True, True, True]


def test_settings_are_suited_to_a_kind() -> None:
    text = KINDS["text"][0]
    pair = suited(Independent(view=Mild(strength=0.5)), text)
    assert repr(pair) == repr(Independent(view=view_of(text, strength=0.5)))
    both = suited(WeakStrong(), PICTURE)
    assert repr(both.strong) == repr(view_of(PICTURE, strength=2.0))
    assert suited(RandomCrop(least=0.5), text) == RandomCrop(least=0.5)
    assert suited(RandomCrop(), PICTURE) is same
    assert suited(Ahead(), text) == Ahead() and suited(0.3, text) == 0.3
    assert suited(pair, Measurements()) is pair


def test_the_usual_view_shows_its_settings() -> None:
    shown = "Chain(views=(swap_neighbours(chance=0.1), step_mask(share=0.15), span_mask("
    assert repr(view_of(KINDS["text"][0])).startswith(shown)
