"""Laws that hold for every view, on drawn batches: ragged, with gaps, short, many channels."""

import inspect
import re
from functools import partial

import pytest
import torch
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator
from torch.nn.functional import pad

from selftime.data.batch import Batch
from selftime.views.mild import Mild, copies
from selftime.views.registry import VIEWS

GENTLE = examples(15)
EVERY_VIEW = pytest.mark.parametrize("name", VIEWS)
STILL = {
    "mild": Mild(strength=0.0),
    "jitter": partial(VIEWS["jitter"], strength=0.0),
    "scale": partial(VIEWS["scale"], strength=0.0),
    "magnitude_warp": partial(VIEWS["magnitude_warp"], strength=0.0),
    "flip": partial(VIEWS["flip"], chance=0.0),
    "drift": partial(VIEWS["drift"], strength=0.0),
    "spike": partial(VIEWS["spike"], spikes=0),
    "smooth": partial(VIEWS["smooth"], strength=0.0),
    "rotate": partial(VIEWS["rotate"], strength=0.0),
    "stretch": partial(VIEWS["stretch"], strength=0.0),
    "shift": partial(VIEWS["shift"], strength=0.0),
    "time_warp": partial(VIEWS["time_warp"], strength=0.0),
    "window_warp": partial(VIEWS["window_warp"], speed=1.0),
    "crop_resize": partial(VIEWS["crop_resize"], least=1.0),
    "permute": partial(VIEWS["permute"], segments=1),
    "reverse": partial(VIEWS["reverse"], chance=0.0),
    "channel_dropout": partial(VIEWS["channel_dropout"], chance=0.0),
    "span_mask": partial(VIEWS["span_mask"], spans=0),
    "spectrum": partial(VIEWS["spectrum"], removed=0.0, raised=0.0, phase=0.0),
    "frequency_mask": partial(VIEWS["frequency_mask"], share=0.0),
}
TIMING = ["stretch", "shift", "time_warp", "window_warp", "crop_resize", "permute", "reverse"]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Series of drawn lengths with gaps; each has something observed on its last step."""
    B, C, T = (draw(st.integers(1, most)) for most in (4, 3, 17))
    lengths = torch.tensor(draw(st.lists(st.integers(1, T), min_size=B, max_size=B)))
    rng = seeded(draw(st.integers(0, 99)))
    missing = torch.rand(B, C, T, generator=rng) < draw(st.sampled_from([0.0, 0.3]))
    steps = torch.arange(T)
    missing[:, 0] &= steps != lengths[:, None] - 1
    observed = ~missing & (steps < lengths[:, None])[:, None]
    return Batch(3 + 2 * torch.randn(B, C, T, generator=rng), observed)


def seen(x: Batch) -> torch.Tensor:
    return x.values.masked_fill(~x.observed, 0)


@EVERY_VIEW
@GENTLE
@given(x=batches())
def test_finite_same_form_same_lengths_and_padding_stays_padding(name: str, x: Batch) -> None:
    y = VIEWS[name](x, seeded())
    assert y.values.shape == x.values.shape and y.observed.shape == x.observed.shape
    assert y.values.dtype == x.values.dtype and y.observed.dtype == torch.bool
    assert seen(y).isfinite().all()
    assert torch.equal(y.lengths, x.lengths)


@EVERY_VIEW
@GENTLE
@given(x=batches())
def test_input_is_untouched_and_a_seed_means_one_result(name: str, x: Batch) -> None:
    before, world = Batch(*(part.clone() for part in x)), torch.get_rng_state()
    first, second = VIEWS[name](x, seeded(5)), VIEWS[name](x, seeded(5))
    assert all(map(torch.equal, x, before))
    assert all(map(torch.equal, first, second))
    assert torch.equal(torch.get_rng_state(), world)


@EVERY_VIEW
@GENTLE
@given(x=batches())
def test_what_stands_in_missing_steps_and_padding_changes_nothing(name: str, x: Batch) -> None:
    other = x._replace(values=torch.where(x.observed, x.values, -1e6))
    first, second = VIEWS[name](x, seeded()), VIEWS[name](other, seeded())
    assert torch.equal(first.observed, second.observed)
    assert torch.equal(seen(first), seen(second))


@pytest.mark.parametrize("name", [n for n in VIEWS if n != "rotate"])  # what it is for
@GENTLE
@given(x=batches())
def test_channels_are_never_mixed(name: str, x: Batch) -> None:
    other = Batch(  # the first channel alone is another series with the same gaps
        torch.cat([x.values[:, :1].cos() * 40, x.values[:, 1:]], dim=1), x.observed
    )
    first, second = VIEWS[name](x, seeded()), VIEWS[name](other, seeded())
    assert torch.equal(first.observed, second.observed)
    assert torch.equal(seen(first)[:, 1:], seen(second)[:, 1:])


@pytest.mark.parametrize("name", [n for n in VIEWS if n not in ("mild", "jitter", "spectrum")])
@GENTLE
@given(x=batches(), more=st.integers(1, 9))
def test_more_padding_changes_nothing(name: str, x: Batch, more: int) -> None:
    """Where nothing is drawn for each step or frequency, so that the draws are the same."""
    y = VIEWS[name](x, seeded())
    longer = VIEWS[name](Batch(*(pad(part, (0, more)) for part in x)), seeded())
    assert torch.equal(longer.observed, pad(y.observed, (0, more)))
    torch.testing.assert_close(seen(longer), pad(seen(y), (0, more)))


@pytest.mark.parametrize("name", TIMING)
@GENTLE
@given(x=batches())
def test_all_channels_of_a_series_share_its_deformation_of_time(name: str, x: Batch) -> None:
    twice = Batch(*(part[:, :1].expand(-1, 2, -1) for part in x))
    y = VIEWS[name](twice, seeded())
    assert torch.equal(y.values[:, 0], y.values[:, 1])
    assert torch.equal(y.observed[:, 0], y.observed[:, 1])


@EVERY_VIEW
@GENTLE
@given(x=batches())
def test_at_strength_zero_series_stay_as_they_are(name: str, x: Batch) -> None:
    y = STILL[name](x, seeded())
    assert torch.equal(y.observed, x.observed)
    torch.testing.assert_close(seen(y), seen(x), rtol=1e-5, atol=1e-5)


@EVERY_VIEW
def test_each_series_is_drawn_anew(name: str) -> None:
    one = torch.randn(1, 6, 64, generator=seeded())
    x = Batch(one.expand(32, 6, 64), torch.ones(32, 6, 64, dtype=torch.bool))
    y = seen(VIEWS[name](x, seeded()))
    assert (y != y[:1]).any(), "every copy is the same"
    assert (y != one).any(), "nothing changes"


@EVERY_VIEW
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_dtype_is_kept(name: str, dtype: torch.dtype) -> None:
    x = Batch(torch.randn(3, 2, 300).to(dtype), torch.ones(3, 2, 300, dtype=torch.bool))
    y = VIEWS[name](x, seeded())
    assert y.values.dtype == dtype and y.values.isfinite().all()


@EVERY_VIEW
@pytest.mark.parametrize("T", [1, 2, 9])
def test_constant_series_stay_finite(name: str, T: int) -> None:
    x = Batch(torch.full((2, 2, T), 7.0), torch.ones(2, 2, T, dtype=torch.bool))
    assert VIEWS[name](x, seeded()).values.isfinite().all()


@pytest.mark.parametrize("name", [*TIMING, "jitter", "drift", "spike", "smooth", "frequency_mask"])
def test_constant_series_stay_constant(name: str) -> None:
    x = Batch(torch.full((3, 2, 9), 7.0), torch.ones(3, 2, 9, dtype=torch.bool))
    torch.testing.assert_close(VIEWS[name](x, seeded()).values, x.values)


@EVERY_VIEW
def test_every_view_says_in_one_line_what_it_does(name: str) -> None:
    first = (inspect.getdoc(VIEWS[name]) or "").splitlines()[0]
    assert 15 < len(first) < 90 and first.endswith(".")


def test_copies_are_series_major() -> None:
    x = Batch(torch.arange(6.0).reshape(3, 1, 2), torch.ones(3, 1, 2, dtype=torch.bool))
    y = copies(x, 2, Mild(strength=0.0), seeded())
    assert y.values[:, 0].tolist() == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5]]
    assert y.observed.all()


def test_copies_differ_from_each_other() -> None:
    x = Batch(torch.randn(3, 1, 50, generator=seeded()), torch.ones(3, 1, 50, dtype=torch.bool))
    y = copies(x, 4, Mild(), seeded()).values.reshape(3, 4, 50)
    assert (y[:, :1] - y[:, 1:]).abs().amax(dim=2).min() > 0


@pytest.mark.parametrize(
    ("name", "setting", "text"),
    [
        ("jitter", {"strength": -1.0}, "got strength=-1.0, wanted 0 or more: 0 leaves the series"),
        ("flip", {"chance": 2.0}, "got chance=2.0, wanted a share from 0 to 1: 0.1 is a tenth"),
        ("time_warp", {"knots": 1}, "got knots=1, wanted at least 2: use knots=2 or more"),
        ("permute", {"segments": 0}, "got segments=0, wanted at least 1: use segments=1 or more"),
        ("stretch", {"strength": 1.5}, "got strength=1.5, wanted a share from 0 to 1"),
        ("spectrum", {"level": -0.1}, "got level=-0.1, wanted 0 or more"),
        ("drift", {"knots": 1}, "got knots=1, wanted at least 2: use knots=2 or more"),
        ("spike", {"spikes": -1}, "got spikes=-1, wanted at least 0: use spikes=0 or more"),
        ("smooth", {"strength": -0.1}, "got strength=-0.1, wanted 0 or more"),
        ("rotate", {"strength": -0.1}, "got strength=-0.1, wanted 0 or more"),
        ("window_warp", {"speed": 0.0}, "got speed=0.0, wanted more than 0: 2.0 is twice as"),
        ("frequency_mask", {"share": 1.1}, "got share=1.1, wanted a share from 0 to 1"),
        ("span_mask", {"share": 1.1}, "got share=1.1, wanted a share from 0 to 1"),
    ],
)
def test_errors_say_got_wanted_do_this(name: str, setting: dict[str, float], text: str) -> None:
    x = Batch(torch.zeros(1, 1, 4), torch.ones(1, 1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match=re.escape(text)):
        partial(VIEWS[name], **setting)(x, seeded())


def test_mild_and_copies_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="got strength=-1.0, wanted 0 or more"):
        Mild(strength=-1.0)
    with pytest.raises(ValueError, match=r"got strength \* stretch = 1\.6, wanted less than 1"):
        Mild(strength=20.0)
    x = Batch(torch.zeros(1, 1, 4), torch.ones(1, 1, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="got n=0, wanted at least 1: use n=1 or more"):
        copies(x, 0, Mild(), seeded())
