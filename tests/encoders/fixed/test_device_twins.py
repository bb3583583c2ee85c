"""What a GPU computes, on a CPU: whole encoders by their twins in tensor operations."""

import pytest
import torch
from test_rocket import ragged

from selftime.encoders.fixed import quantiles, rocket_torch
from selftime.encoders.fixed.hydra import Hydra
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import KernelBank, MiniRocket

SERIES = {  # lengths, channels, share missing
    "many channels with gaps": ([40, 37, 22], 40, 0.3),
    "short": ([3, 1, 2], 2, 0.0),
    "long": ([1500, 900], 1, 0.1),
}
ENCODERS = {
    "minirocket": lambda C, T: MiniRocket(channels=C, length=T, features=840),
    "hydra": lambda C, T: Hydra(channels=C, length=T, groups=4, kernels=5, most_steps=400),
    "quantiles": lambda C, T: Quantiles(channels=C, length=T, most_channels=8),
}


@pytest.fixture
def by_twins(monkeypatch):
    """A switch to the twins, from compiled loops."""

    def switch():
        monkeypatch.setattr(Hydra, "_on_cpu", Hydra._on_device)
        monkeypatch.setattr(quantiles, "quantiles_on_cpu", quantiles.quantiles_on_device)

        def bank_on_device(bank, series, lengths, poolings):
            plan = (bank.dilations, bank.counts, bank.subsets)
            return rocket_torch.minirocket_on_device(series, lengths, plan, bank.biases, poolings)

        monkeypatch.setattr(KernelBank, "_on_cpu", bank_on_device)

    return switch


@pytest.mark.parametrize("case", SERIES)
@pytest.mark.parametrize("name", ENCODERS)
def test_whole_encoders_agree(name, case, rng, by_twins):
    lengths, channels, missing = SERIES[case]
    x = ragged(rng, lengths, channels, missing)
    encoder = ENCODERS[name](channels, max(lengths))
    encoder.prepare(x, rng)
    compiled = encoder.embed(x)
    by_twins()
    # Hydra: two kernels within rounding of each other may win another step in the other twin
    # Quantiles: means of thousands, as magnitudes of long series are, are summed in another order
    rtol, atol = {"minirocket": (0, 0), "hydra": (1e-4, 1e-4), "quantiles": (1e-5, 1e-4)}[name]
    torch.testing.assert_close(encoder.embed(x), compiled, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", ENCODERS)
def test_pieces_change_nothing_but_memory(name, rng, by_twins, monkeypatch):
    x = ragged(rng, [60] * 5, 3)
    encoder = ENCODERS[name](3, 60)
    encoder.prepare(x, rng)
    by_twins()
    whole = encoder.embed(x)
    monkeypatch.setattr(rocket_torch, "CELLS", 1)  # a series at a time
    torch.testing.assert_close(encoder.embed(x), whole, rtol=1e-6, atol=1e-6)


def test_quantiles_take_few_calls(rng):
    """Each call costs a launch on a GPU: 480 intervals are sorted in a few dozen groups."""
    plan = quantiles.plan_quantiles(128, 6, 4)
    rows = torch.randn(2, plan.intervals[:, 1].max(), generator=rng)
    calls = []
    sort = torch.Tensor.sort
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "sort", lambda x, dim: calls.append(dim) or sort(x, dim=dim))
        quantiles.quantiles_on_device(rows, plan)
    assert len(plan.intervals) == 480 and len(calls) <= 24
