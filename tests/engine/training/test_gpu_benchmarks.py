"""Benchmarks of GPUs and of processes, in their short form: what is counted is right."""

import json

import pytest
import torch
from benchmarks import gpu, processes

from selftime.encoders.networks.dilated import HERE, taps

TINY = {"series": 6, "length": 24, "batch": 4, "steps": 1, "embedded": 4, "square": 32}


def test_without_a_gpu_it_says_so_and_writes_nothing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(gpu, "found_device", lambda: None)
    gpu.main(["--out", str(tmp_path / "gpu.json")])
    assert capsys.readouterr().out.startswith("no GPU here (neither CUDA nor MPS)")
    assert not list(tmp_path.iterdir())


@pytest.mark.late
def test_the_short_form_on_the_cpu_measures_every_row(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpu, "TRAIN", [("transformer", "simclr")])
    monkeypatch.setattr(gpu, "EMBED", ["rocket", "quantiles"])
    out = tmp_path / "cpu.json"
    words = ["--device", "cpu", "--rounds", "2", "--sizes", json.dumps(TINY), "--out", str(out)]
    gpu.main(words)
    made = json.loads(out.read_text())
    assert set(made["train"]) == {"simclr on transformer, no", "simclr on transformer, bf16"}
    row = made["train"]["simclr on transformer, no"]
    assert row["steps a second"]["mean"] > 0 and row["steps a second"]["standard error"] >= 0
    peak = made["peak FLOP/s measured"]["no"]
    share = row["operations a step"] * row["steps a second"]["mean"] / peak
    assert row["share of peak"] == pytest.approx(share) and 0 < share < 10
    assert set(made["embed"]) == {"rocket", "quantiles"}
    assert "2 of" not in (said := capsys.readouterr().out) and "rocket" in said


def test_products_are_counted_forward_and_backward():
    class OneStep:
        """A convolution of one tap, with gradients of rows and weights."""

        def advance(self):
            x = torch.zeros(7, 5, requires_grad=True)
            weight = torch.zeros(1, 3, 5, requires_grad=True)
            taps(x, weight, torch.zeros(3), HERE).sum().backward()

    assert gpu.operations_of(OneStep()) == 3 * 2 * 7 * 5 * 3


def test_one_process_sends_nothing_and_formulas_count_every_weight(monkeypatch):
    monkeypatch.setattr(processes, "OBJECTIVE_NAMES", ("simclr",))
    size = processes.SIZES["small"]._replace(steps=2)
    made = processes.work("gathered", size)["simclr"]
    assert made["bytes"] == {} and len(made["losses"]) == 2
    weights, inside = made["trained weights"], made["weights of layers"]
    assert 0 < inside < weights
    found = processes.formulas("simclr", "two, weights shared out", size, weights, inside)
    B, D = size.batch, size.dim
    assert found["reduce-scattered"] == 4 * weights
    assert found["all-gathered"] == 4 * (2 * B * D + 4 * inside + weights - inside)
