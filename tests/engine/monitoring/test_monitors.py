"""Monitors beside plain loops of their papers; what a CollapseMonitor says of a collapse."""

import math

import pytest
import torch
from torch import nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.engine.monitoring import monitors as watching
from selftime.engine.monitoring.monitors import (
    MONITORS,
    CollapseMonitor,
    alignment,
    effective_rank,
    find_collapse,
    length,
    measure,
    neighbour_accuracy,
    uniformity,
    unit_std,
)


def drawn(n=12, d=5, seed=0, shift=0.0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=rng, dtype=torch.float64) + shift


def rows_of(z):
    """Unit vectors as lists of Python floats."""
    rows = [[float(v) for v in row] for row in z]
    return [[v / math.sqrt(sum(w * w for w in row)) for v in row] for row in rows]


def squared_distance(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))


# Equations, one loop each


def test_std_is_the_mean_deviation_of_unit_vectors():
    z = drawn(shift=0.5)
    deviations = []
    for column in zip(*rows_of(z), strict=True):
        mean = sum(column) / len(column)
        deviations.append(math.sqrt(sum((v - mean) ** 2 for v in column) / len(column)))
    wanted = math.sqrt(z.shape[1]) * sum(deviations) / len(deviations)
    assert unit_std(z) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("shape", [(12, 5), (4, 9)])
def test_rank_is_the_exponential_of_an_entropy(shape):
    z = drawn(*shape)
    gram = z @ z.T if shape[0] < shape[1] else z.T @ z
    sizes = [math.sqrt(float(v)) for v in torch.linalg.eigvalsh(gram)]  # another way to them
    shares = [size / sum(sizes) + 1e-7 for size in sizes]
    wanted = math.exp(-sum(p * math.log(p) for p in shares))
    assert effective_rank(z) == pytest.approx(wanted, rel=1e-9)


def test_alignment_is_the_mean_squared_distance_of_pairs():
    a, b = drawn(), drawn(seed=1)
    apart = [squared_distance(x, y) for x, y in zip(rows_of(a), rows_of(b), strict=True)]
    assert alignment(a, b) == pytest.approx(sum(apart) / len(apart), rel=1e-12)


@pytest.mark.parametrize("t", [2.0, 0.5])
def test_uniformity_is_the_log_of_a_mean_potential(t):
    rows = rows_of(drawn())
    potentials = [
        math.exp(-t * squared_distance(x, y)) for i, x in enumerate(rows) for y in rows[:i]
    ]
    wanted = math.log(sum(potentials) / len(potentials))
    assert uniformity(drawn(), t) == pytest.approx(wanted, rel=1e-12)


def test_neighbour_accuracy_looks_at_the_nearest_other_row():
    z, labels = drawn(n=30), torch.arange(30) % 3
    rows, hits = rows_of(z), 0
    for i, x in enumerate(rows):
        others = [j for j in range(30) if j != i]
        nearest = min(others, key=lambda j: squared_distance(x, rows[j]))
        hits += int(labels[nearest] == labels[i])
    assert 0 < hits < 30
    assert neighbour_accuracy(z, labels) == pytest.approx(hits / 30)


def test_length_is_the_mean_norm():
    assert length(torch.tensor([[3.0, 4.0], [0.0, 1.0]])) == pytest.approx(3.0)


# Invariances and ends of the scale

ONE = {"std": unit_std, "rank": effective_rank, "uniformity": uniformity}


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_size_does_not_matter(name, factor):
    z = drawn().float()
    assert ONE[name](z * factor) == pytest.approx(ONE[name](z), rel=1e-4)


@pytest.mark.parametrize("name", ["rank", "uniformity"])
def test_rotation_does_not_matter(name):
    turn = torch.linalg.qr(drawn(5, 5, seed=3)).Q
    assert ONE[name](drawn() @ turn) == pytest.approx(ONE[name](drawn()), rel=1e-9)


@pytest.mark.parametrize("shape", [(20, 4), (4, 20), (7, 7)])
def test_rank_is_at_most_the_shorter_side(shape):
    flat = torch.eye(max(shape), dtype=torch.float64)[: shape[0], : shape[1]]
    assert 1 <= effective_rank(drawn(*shape)) <= min(shape)
    assert effective_rank(flat) == pytest.approx(min(shape), rel=1e-5)  # ε adds a little


def test_ends_of_the_scale():
    many, same = drawn(4000, 16), torch.ones(8, 4, dtype=torch.float64)
    assert unit_std(many) == pytest.approx(1, abs=0.01) and unit_std(same) < 1e-7
    assert effective_rank(same) == pytest.approx(1, abs=1e-4)
    assert uniformity(same) == pytest.approx(0, abs=1e-12)
    assert alignment(many, many) == 0 and alignment(many, -many) == pytest.approx(4)


def test_vectors_of_zeros_are_collapsed():
    z = torch.zeros(6, 3)
    assert unit_std(z) == 0 and effective_rank(z) == 1 and uniformity(z) == 0 and length(z) == 0


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_gives_no_number(wrong):
    z, labels = drawn(), torch.arange(12) % 2
    z[3, 2] = wrong
    read = measure(z, drawn(), labels)
    assert set(read) == set(MONITORS) - {"gradient_norm"}
    assert not any(math.isfinite(value) for value in read.values())


def test_one_row_has_no_pair():
    z = drawn(1)
    assert math.isnan(uniformity(z)) and math.isnan(neighbour_accuracy(z, torch.zeros(1).long()))
    assert unit_std(z) == 0 and effective_rank(z) == pytest.approx(1, abs=1e-5)


def test_table_of_monitors():
    for name, monitor in MONITORS.items():
        assert (
            monitor.name == name and monitor.low < monitor.high and monitor.about and monitor.remedy
        )


# The CollapseMonitor


class Scripted(Encoder):
    """Embeds series of one channel by a matrix that the test sets: vectors = series @ matrix."""

    def __init__(self, *, dim: int = 6) -> None:
        super().__init__()
        self.dim = dim
        self.matrix = nn.Parameter(drawn(16, dim, seed=5).float())
        self.shift = nn.Parameter(torch.zeros(dim))
        self.frozen = nn.Dropout(0.5).eval()
        self.noise = nn.Dropout(0.5)

    def forward(self, x):
        vectors = x.values[:, 0] @ self.matrix + self.shift
        return self.frozen(self.noise(vectors))[:, None]


def series(n=24):
    values = drawn(n, 16, seed=8).float()[:, None]
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def monitor(n=24, labels=None):
    return CollapseMonitor(series(n), torch.Generator().manual_seed(1), labels=labels)


def warned(states, watch=None):
    """(step, monitor) of every warning, read each ten steps after a change of the encoder."""
    watch, encoder, found = watch or monitor(), Scripted(), []
    for k, change in enumerate(states):
        with torch.no_grad():
            change(encoder)
        found += [(10 * k, w.monitor) for w in watch.read(encoder, 10 * k).warnings]
    return found


def still(encoder):
    pass


def shifted(by):
    return lambda encoder: encoder.shift.fill_(by)


def scaled(by):
    return lambda encoder: encoder.matrix.mul_(by)


def line(encoder):
    """All vectors along the first feature, but for a thousandth."""
    encoder.matrix[:, 1:] *= 0.001


def test_healthy_runs_are_not_warned_of():
    assert warned([still, scaled(2.0), scaled(0.5), still, scaled(1.5), still]) == []


def test_a_large_common_mean_before_training_is_no_collapse():
    mean = shifted(300.0)
    watch = monitor()
    assert warned([mean, *[scaled(1.01)] * 6], watch) == []
    assert 0.001 < watch.start["std"] < 0.02  # cosines above 0.999


def test_complete_collapse_is_warned_of_once():
    found = warned([still, *[shifted(float(by)) for by in (10, 50, 250, 1000, 4000)]])
    assert found == [(30, "std")]


def test_fast_collapse_that_then_rests():
    assert warned([still, shifted(500.0), still, still]) == [(20, "std")]


def test_a_single_low_reading_is_not_enough():
    assert warned([still, shifted(500.0), shifted(0.0), still]) == []


def test_slow_collapse_is_told_by_step_40():
    slide = [shifted(150.0), *[shifted(150.0 * 1.2**k) for k in range(1, 5)]]
    assert warned(slide) == [(40, "std")]


def test_a_dip_that_ends_is_no_collapse():
    dip = [shifted(150.0 * by) for by in (1, 1.5, 2.0, 2.5, 2.0, 1.5)]
    assert warned(dip) == []


def test_collapse_that_was_there_from_the_start():
    assert warned([shifted(1e6), still]) == [(0, "std")]


def test_dimensional_collapse():
    assert warned([still, line, still]) == [(20, "rank")]


def test_vectors_that_shrink_to_nothing():
    assert warned([still, *[scaled(0.2)] * 3]) == [(30, "length")]


def test_lengths_out_of_hand_and_nan_are_divergence():
    assert warned([still, scaled(1e6)]) == [(10, "length")]
    assert warned([still, still, scaled(math.nan)]) == [(20, "length")]


def test_messages_say_value_health_and_remedy():
    watch, encoder = monitor(), Scripted()
    watch.read(encoder, 0)
    with torch.no_grad():
        scaled(0.1)(encoder)
        shifted(1e4)(encoder)
    (told,) = watch.read(encoder, 10).warnings
    start = watch.start["std"]
    assert told.message.startswith("at step 10 std is ")
    assert f"healthy is 0.0001 to 1 (it was {start:.2g} at the start)" in told.message
    assert told.message.endswith(f"series become similar (collapse); {MONITORS['std'].remedy}")


def test_message_of_a_line_has_no_upper_end():
    (told,) = find_collapse({"std": 0.5, "rank": 8.0, "length": 1.0}, [FLAT, FLAT])
    assert told.message == (
        "rank is 1.1, healthy is at least 1.5 (it was 8 at the start): vectors differ in few "
        "directions (dimensional collapse); weaken the views (a lower strength)"
    )


FLAT = {"std": 0.5, "rank": 1.1, "length": 1.0}


def test_message_of_divergence():
    watch, encoder = monitor(), Scripted()
    with torch.no_grad():
        scaled(math.nan)(encoder)
    read = watch.read(encoder, 7)
    assert read.monitors == {} and watch.history == []
    assert read.warnings[0].message == (
        "at step 7 embeddings are not finite, healthy are finite lengths: training diverged; "
        "lower the learning rate"
    )


def test_rank_falls_to_a_small_share_of_a_large_one():
    ranks = [{"std": 0.5, "rank": rank, "length": 1.0} for rank in (60.0, 5.0, 5.0)]
    assert [w.monitor for w in find_collapse(ranks[0], ranks)] == ["rank"]
    assert list(find_collapse(ranks[0], ranks[:2])) == []


def test_readings_hold_every_monitor():
    labels = torch.arange(24) % 2
    read = monitor(labels=labels).read(Scripted(), 0)
    assert set(read.monitors) == set(MONITORS) - {"gradient_norm"}
    assert set(monitor().read(Scripted(), 0).monitors) == set(MONITORS) - {"gradient_norm", "knn"}
    assert all(type(value) is float for value in read.monitors.values())


def test_readings_repeat():
    watch, encoder = monitor(), Scripted()
    assert watch.read(encoder, 0).monitors == watch.read(encoder, 10).monitors  # one view


def test_modes_of_all_parts_are_given_back():
    encoder = Scripted()
    assert encoder.training and encoder.noise.training and not encoder.frozen.training
    monitor().read(encoder, 0)
    assert encoder.training and encoder.noise.training and not encoder.frozen.training


def test_modes_are_given_back_after_an_error(monkeypatch):
    encoder = Scripted()
    monkeypatch.setattr(encoder, "forward", lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        monitor().read(encoder, 0)
    assert encoder.training and encoder.noise.training


def test_nothing_of_the_caller_is_touched():
    x, encoder = series(), Scripted()
    before = [tensor.clone() for tensor in (*x, *encoder.state_dict().values())]
    state = torch.get_rng_state()
    CollapseMonitor(x, torch.Generator().manual_seed(1)).read(encoder, 0)
    after = [*x, *encoder.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None and not p.is_inference() for p in encoder.parameters())


def test_measuring_leaves_vectors_as_they_are():
    a, b = drawn(), drawn(seed=1)
    measure(a, b, torch.arange(12))
    assert torch.equal(a, drawn()) and torch.equal(b, drawn(seed=1))


class Normed(Encoder):
    """A batch normalisation and nothing else."""

    def __init__(self, *, dim: int = 16) -> None:
        super().__init__()
        self.dim = dim
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x):
        return self.norm(x.values[:, 0])[:, None]


def test_running_statistics_settle_before_anything_is_judged():
    watch, encoder = monitor(), Normed()
    first = watch.read(encoder, 0).monitors["length"]
    assert watch.history == []
    for _ in range(watching.SETTLED):
        encoder(Batch(series().values * 0.1, series().observed))
    later = watch.read(encoder, 10).monitors["length"]
    assert len(watch.history) == 1 and later > first
    assert watch.start["length"] == pytest.approx(later)


@pytest.mark.parametrize("n", [1, 129])
def test_too_few_or_too_many_series(n):
    with pytest.raises(ValueError, match=f"got {n} series to monitor, wanted 2 to 128: take some"):
        monitor(n)


def test_labels_that_do_not_fit():
    with pytest.raises(ValueError, match="got 5 labels for 24 series: give one each, or None"):
        monitor(labels=torch.arange(5))


# Learning itself


def trained(loss_of, steps=50):
    """Monitors of the warnings while a small network learns from two noisy views of 24 series.

    It starts with a large mean that all series share, as untrained networks do.
    """
    rng = torch.Generator().manual_seed(3)
    encoder, watch, found = Scripted(dim=12), monitor(), []
    nn.init.constant_(encoder.shift, 10.0)
    optimiser = torch.optim.Adam([encoder.matrix, encoder.shift], lr=0.1)
    for step in range(steps + 1):
        if step % 10 == 0:
            found += [(step, w.monitor) for w in watch.read(encoder, step).warnings]
        x = series().values[:, 0]
        a, b = (
            (x + 0.3 * torch.randn(x.shape, generator=rng)) @ encoder.matrix + encoder.shift
            for _ in range(2)
        )
        optimiser.zero_grad()
        loss_of(a, b).backward()
        optimiser.step()
    return found


def similarity(a, b):
    return nn.functional.normalize(a, dim=1) @ nn.functional.normalize(b, dim=1).T


@pytest.mark.late
def test_attraction_alone_collapses_within_50_steps():
    found = trained(lambda a, b: -similarity(a, b).diagonal().mean())
    assert found == [(40, "std")]


def test_with_negatives_nothing_is_warned_of():
    own = torch.arange(24)
    found = trained(lambda a, b: nn.functional.cross_entropy(similarity(a, b) / 0.2, own))
    assert found == []
