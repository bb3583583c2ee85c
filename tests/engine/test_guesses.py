"""A few guesses are kept with a run: in the units of the data, and read back as they were."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sight_material import KINDS, series_of_kind

import selftime as st
from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.guesses import Guesses, guesses_of, read_guesses
from selftime.engine.training.run_folder import GUESSES
from selftime.objectives.base import Guess, Objective, Recipe, Step
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.simclr import SimCLR


class HidesThirds(Objective):
    """Hides every third step and guesses 0: the mean of scaled series."""

    family = "masked"
    suits = "tests"
    recipe = Recipe()

    def __init__(self, *, encoder: Dilated) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, batch: Batch, rng: torch.Generator) -> Step:
        z = self.encoder(batch)
        return Step(z.square().mean(), {}, z.detach())

    def guess(self, batch: Batch, rng: torch.Generator) -> Guess:
        hidden = torch.zeros_like(batch.observed)
        hidden[:, :, ::3] = True
        return Guess(batch, hidden & batch.observed, torch.zeros_like(batch.values))


def guess_of(series: SeriesSet) -> Guesses:
    objective = HidesThirds(encoder=Dilated(channels=series.n_channels, hidden=4, depth=1, dim=4))
    scale = scaling.fit(series)
    found = guesses_of(objective, scale.measure(series), scale, 0)
    assert found is not None
    return found


@pytest.mark.parametrize("name", KINDS)
def test_guesses_are_in_the_units_of_the_data(name):
    series = series_of_kind(name, 5, gap=True)
    found = guess_of(series)
    assert found.whole.kind == found.made.kind == series.kind
    assert found.whole.ids.tolist() == series.ids.tolist()
    if series.kind.scaled == "none":
        means = np.zeros(1)
    elif series.kind.scaled == "together":
        means = np.full(series.n_channels, np.nanmean(series.values))
    else:
        means = np.nanmean(series.values, axis=(0, 2))
    for i in range(5):
        values, hidden = series.series(i), found.hidden(i)
        np.testing.assert_allclose(found.whole.series(i), values, atol=1e-5)
        wanted = np.zeros_like(values, bool)
        wanted[:, ::3] = True
        np.testing.assert_array_equal(hidden, wanted & np.isfinite(values))
        made = np.broadcast_to(means[:, None], values.shape)[hidden]
        np.testing.assert_allclose(found.made.series(i)[hidden], made, atol=1e-5)
        assert np.isnan(found.seen(i)[hidden]).all()
        np.testing.assert_allclose(found.filled(i)[hidden], made, atol=1e-5)
        np.testing.assert_allclose(found.filled(i)[~hidden], values[~hidden], atol=1e-5)


def test_a_level_that_was_taken_out_comes_back():
    x = 1e9 + np.random.default_rng(0).normal(size=(3, 1, 12))
    found = guess_of(st.SeriesSet.of(x))
    np.testing.assert_allclose(found.whole.values, x, rtol=0, atol=1e-5)
    assert np.nanmax(np.abs(found.made.values - 1e9)) < 1


def test_few_series_and_few_steps_are_kept():
    found = guess_of(st.SeriesSet.of(np.random.default_rng(0).normal(size=(40, 1, 3000))))
    assert len(found.whole) == 6 and found.whole.lengths.tolist() == [2048] * 6
    assert found.whole.ids.tolist() == ["0", "7", "15", "23", "31", "39"]
    wide = st.SeriesSet.of(np.random.default_rng(0).normal(size=(2, 200, 800)))
    assert guess_of(wide).whole.lengths.tolist() == [300, 300]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_is_read(name, tmp_path):
    found = guess_of(series_of_kind(name, 4, gap=True))
    found.save(tmp_path / GUESSES)
    again = read_guesses(tmp_path / GUESSES)
    assert again.whole.kind == again.made.kind == found.whole.kind
    for mine, theirs in ((found.whole, again.whole), (found.made, again.made)):
        np.testing.assert_array_equal(mine.values, theirs.values)
    assert again.whole.ids.tolist() == found.whole.ids.tolist()
    assert read_guesses(tmp_path / "none.npz") is None
    with pytest.raises(ValueError, match="got guesses of other series"):
        Guesses(whole=found.whole, made=found.made[:2])


def test_a_method_that_hides_nothing_has_none():
    series = series_of_kind("series")
    encoder = Dilated(channels=1, hidden=4, depth=1, dim=4)
    scale = scaling.fit(series)
    for objective in (SimCLR(encoder=encoder), None):
        assert guesses_of(objective, series, scale, 0) is None


def test_one_process_guesses_without_the_others(monkeypatch):
    """Others may have gone on: nothing is sent to them, nothing is waited for."""
    for name, value in {"is_initialized": True, "get_world_size": 2, "get_rank": 0}.items():
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    series = series_of_kind("series", 4)
    encoder = Dilated(channels=1, hidden=4, depth=1, dim=4)
    scale = scaling.fit(series)
    objective = MaskedPatches(encoder=encoder)
    assert guesses_of(objective, series, scale, 0) is not None
    with pytest.raises(ValueError, match="[Pp]rocess group"):
        objective.guess(scale.apply(batch_of(series)), torch.Generator().manual_seed(0))


@pytest.mark.late
def test_a_run_keeps_guesses_and_its_page_is_made_from_them(tmp_path):
    x = replace(series_of_kind("series", 8), source="it")
    objective = HidesThirds(encoder=Dilated(channels=1, hidden=4, depth=1, dim=4))
    folder = tmp_path / "run"
    with_guesses = st.pretrain(x, objective=objective, budget="1 steps", run=folder)
    assert read_guesses(folder / GUESSES).hidden(0)[0, ::3].all()
    without = st.pretrain(x, objective=objective, budget="1 steps")
    np.testing.assert_array_equal(with_guesses.embed(x), without.embed(x))
    text = st.read_run(folder).write_report().read_text("utf8")
    assert "What was hidden, and what was guessed" in text and "left out" in text
