"""Several processes learn what one does: parts with pretended ranks, the whole with real ones."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ranks_in_threads import on_ranks
from ranks_run import STEPS, STOPPED_AFTER, averages_of, main
from training_material import training_of

from selftime.data.batch import Batch
from selftime.engine.training import checkpoint
from selftime.engine.training.loop import run_training
from selftime.objectives.distributed import Gathered, distribute, summed

HERE = Path(__file__).parents[1] / "support"
UNEVEN = pytest.mark.parametrize(
    "count, world", [(1, 2), (2, 2), (5, 2), (7, 2), (2, 3), (4, 3), (9, 4), (3, 5)]
)


def series(count):
    values = torch.arange(count * 6, dtype=torch.float64).reshape(count, 2, 3).cos()
    return Batch(values, values > -0.5)


class Encoding:
    """A linear map of each series in float64, which remembers how many rows it was given."""

    def __init__(self):
        weight = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)
        self.weight = weight.requires_grad_()
        self.rows = []

    def __call__(self, x):
        self.rows.append(len(x.values))
        return x.values.where(x.observed, 0.0).sum(dim=1) @ self.weight


def loss_of(encode, x):
    """Every row is compared with every other, and they count differently."""
    z = distribute(encode, x)
    return ((z @ z.T).exp() * torch.arange(1, len(z) + 1)).mean()


@pytest.mark.parametrize("world", [2, 3, 9])
@pytest.mark.parametrize("shape", [(1,), (5,), (4, 7)])
def test_sums_over_processes_are_the_same_in_each(world, shape):
    own = [torch.randn(shape, generator=torch.Generator().manual_seed(r)) for r in range(world)]
    first, *others = on_ranks(world, lambda rank: summed(own[rank]))
    torch.testing.assert_close(first, torch.stack(own).sum(dim=0))
    assert all(torch.equal(first, other) for other in others)


def test_alone_a_process_encodes_everything():
    encode, x = Encoding(), series(5)
    assert torch.equal(distribute(encode, x), encode(x))
    assert encode.rows == [5, 5]


@UNEVEN
def test_every_rank_gets_all_rows_and_encodes_its_share(count, world):
    x, wanted = series(count), Encoding()(series(count))
    encodings = [Encoding() for _ in range(world)]
    for got in on_ranks(world, lambda rank: distribute(encodings[rank], x)):
        torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    assert [encode.rows for encode in encodings] == [[-(-count // world)]] * world


@UNEVEN
def test_the_mean_of_the_gradients_is_that_of_one_process(count, world):
    x, alone = series(count), Encoding()
    wanted = loss_of(alone, x)
    wanted.backward()

    def work(rank):
        encode = Encoding()
        loss = loss_of(encode, x)
        loss.backward()
        return loss.detach(), encode.weight.grad

    losses, gradients = zip(*on_ranks(world, work), strict=True)
    for loss in losses:
        torch.testing.assert_close(loss, wanted.detach(), rtol=1e-12, atol=0)
    mean = torch.stack(gradients).mean(dim=0)
    torch.testing.assert_close(mean, alone.weight.grad, rtol=1e-10, atol=1e-12)


def test_rows_keep_the_order_of_the_ranks_and_their_own_gradient():
    def work(rank):
        own = torch.full((2, 1), float(rank), requires_grad=True)
        rows = Gathered.apply(own)
        (rows * torch.arange(1.0, 7.0)[:, None]).sum().backward()
        return rows.flatten().tolist(), own.grad.flatten().tolist()

    made = on_ranks(3, work)
    assert [rows for rows, _ in made] == [[0, 0, 1, 1, 2, 2]] * 3
    # three times the gradient of its own rows: the mean over three ranks takes it back
    assert [grad for _, grad in made] == [[3, 6], [9, 12], [15, 18]]


def test_several_ranks_encode_without_gradients_too():
    x = series(5)

    def work(rank):
        with torch.inference_mode():
            return distribute(Encoding(), x)

    for got in on_ranks(2, work):
        assert got.shape == (5, 4) and not got.requires_grad


def test_a_rank_that_fails_does_not_leave_the_others_waiting():
    def work(rank):
        if rank == 1:
            raise RuntimeError("mine")
        return distribute(Encoding(), series(4))

    with pytest.raises(RuntimeError, match="mine"):
        on_ranks(3, work)


def results_of(folder, rank):
    return json.loads((folder / f"{rank}.json").read_text())


def alone_in(folder, what):
    """What one process makes."""
    threads = torch.get_num_threads()
    main(folder, what)
    torch.set_num_threads(threads)
    return results_of(folder, 0)


def together_in(folder, what, *kind):
    """What each of two processes makes, started as people start them.

    Without ``--multi_gpu`` accelerate starts a single process; on a machine without GPUs it
    starts two all the same.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "accelerate.commands.launch", *kind),
        *("--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"),
        *("--dynamo_backend", "no", "--main_process_port", str(port)),
        *(str(HERE / "ranks_run.py"), str(folder), what),
    ]
    hidden = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env=os.environ | hidden, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return [results_of(folder, rank) for rank in range(2)]


def assert_the_losses_are_those_of_one(alone, together, name, steps):
    for made in together:
        assert len(made[name]) == steps
        # measured: 5e-7 at most
        assert np.abs(np.subtract(made[name], alone[name])).max() <= 1e-5
    assert together[0][name] == together[1][name]


def assert_a_signal_to_one_stopped_both_after_the_same_step(alone, together):
    steps = [*range(STOPPED_AFTER + 1), "stopped"]
    assert alone["stopped"]["told"] == steps
    assert together[0]["stopped"]["told"] == steps
    assert together[1]["stopped"]["told"] == ["stopped"]  # the first process alone logs and saves
    for made in (alone, *together):
        assert made["stopped"]["begun"] == STOPPED_AFTER
        weights = np.subtract(made["stopped"]["weights"], alone["stopped"]["weights"])
        assert np.abs(weights).max() <= 1e-5
    assert together[0]["stopped"]["weights"] == together[1]["stopped"]["weights"]


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_that_know_of_each_other_learn_what_one_does(tmp_path):
    """One test, or the processes would be started anew on each worker of the tests."""
    alone = alone_in(tmp_path / "alone", "batches")
    together = together_in(tmp_path / "together", "batches", "--multi_gpu")
    assert (alone["rank"], alone["world"]) == (0, 1)
    assert [(made["rank"], made["world"]) for made in together] == [(0, 2), (1, 2)]
    for name, steps in (("ts2vec", STEPS), ("simclr", STEPS), ("two batches a step", 10)):
        assert_the_losses_are_those_of_one(alone, together, name, steps)
    assert_a_signal_to_one_stopped_both_after_the_same_step(alone, together)
    for made in together:
        products = np.subtract(made["closed form"], alone["closed form"])
        assert np.abs(products).max() <= 1e-6
        np.testing.assert_allclose(made["own"]["got"], made["own"]["wanted"], rtol=1e-4, atol=1e-6)
        assert len(set(made["by the clock"])) == 1 and len(made["by the clock"]) == 2


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_that_share_out_weights_learn_what_one_does(tmp_path):
    alone = alone_in(tmp_path / "alone", "weights")
    asked = ("--use_fsdp", "--fsdp_version", "2")
    together = together_in(tmp_path / "together", "weights", *asked)
    assert not alone["is sharded"] and all(made["is sharded"] for made in together)
    for name, steps in (("ts2vec", 10), ("clipped", 10)):
        assert_the_losses_are_those_of_one(alone, together, name, steps)
    assert_a_signal_to_one_stopped_both_after_the_same_step(alone, together)
    for made in together:
        np.testing.assert_allclose(made["vectors"], alone["vectors"], atol=1e-4)
    # states are whole: one process takes up what two left, weights, moments and averages
    one = training_of("simclr", "8 steps")
    one.restore(checkpoint.newest_checkpoint(tmp_path / "together" / "checkpoints"))
    assert one.step == STOPPED_AFTER
    run_training(one)
    np.testing.assert_allclose(averages_of(one), alone["stopped"]["weights"], atol=1e-5)
