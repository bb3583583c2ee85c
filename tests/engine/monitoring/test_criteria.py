"""Criteria without labels: beside loops, and at their extremes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Generator
from toy_batches import ragged

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.monitoring.criteria import (
    CRITERIA,
    EmbeddedViews,
    embed_views,
    lidar,
    mean_reciprocal_rank,
    separation,
    span_coordinates,
)


def drawn(*shape: int) -> torch.Tensor:
    z = torch.randn(*shape, generator=Generator().manual_seed(0), dtype=torch.float64)
    return F.normalize(z, dim=-1)


def of(views: torch.Tensor) -> EmbeddedViews:
    return EmbeddedViews(views, views[:, 0], views[:, 1])


def test_found_again_is_the_mean_reciprocal_rank():
    one, other = drawn(2, 7, 3)
    wanted = 0.0
    for i in range(7):
        likeness = [float(one[i] @ other[j]) for j in range(7)]
        wanted += 1 / (1 + sum(value > likeness[i] for value in likeness)) / 7
    assert mean_reciprocal_rank(one, other) == pytest.approx(wanted)


def test_collapse_and_chance_and_perfection():
    same = drawn(1, 1, 4).expand(9, 8, 4)
    apart = torch.eye(9, dtype=torch.float64)[:, None].expand(9, 8, 9)
    assert mean_reciprocal_rank(same[:, 0], same[:, 1]) == pytest.approx(
        1 / 5
    )  # nine alike: rank 5
    assert CRITERIA["views"](of(apart)) == CRITERIA["halves"](of(apart)) == 1
    assert separation(of(apart)) == pytest.approx(1)
    assert separation(of(same)) == pytest.approx(0)
    for criterion in CRITERIA.values():
        assert math.isfinite(criterion(of(same)))


def test_separation_is_a_share_of_variance():
    z = drawn(5, 8, 3)
    total = (z - z.flatten(0, 1).mean(dim=0)).square().sum(dim=2).mean()
    within = torch.stack([(z[i] - z[i].mean(dim=0)).square().sum(dim=1).mean() for i in range(5)])
    assert separation(of(z)) == pytest.approx(float(1 - within.mean() / total))


def test_lidar_counts_directions_that_tell_series_apart():
    noise = 0.01 * torch.randn(30, 8, 6, generator=Generator().manual_seed(1)).double()
    for directions in (1, 3):
        centre = torch.zeros(30, 1, 6, dtype=torch.float64)
        for i in range(30):
            centre[i, 0, i % directions] = 1 if i // directions % 2 else -1
        assert lidar(of(centre + noise)) == pytest.approx(directions, rel=0.1)


def test_what_is_looked_at_is_of_unit_length_and_ignores_padding():
    x = Batch(ragged().values.float(), ragged().observed)
    encoder = Dilated(channels=2, hidden=4, depth=2, dim=6)
    seen = embed_views(encoder, x, Generator().manual_seed(0))
    for z in seen:
        torch.testing.assert_close(z.norm(dim=-1), torch.ones(z.shape[:-1]))
    longer = Batch(*(F.pad(part, (0, 9)) for part in x))
    again = embed_views(encoder, longer, Generator().manual_seed(0))
    torch.testing.assert_close(again.first, seen.first)
    torch.testing.assert_close(again.second, seen.second)


def test_wide_vectors_are_judged_in_the_space_they_span():
    z = drawn(3, 8, 200)
    narrow = span_coordinates(z)
    assert narrow.shape == (3, 8, 24)
    flat, wide = narrow.flatten(0, 1), z.flatten(0, 1)
    torch.testing.assert_close(flat @ flat.T, wide @ wide.T)
    assert lidar(of(z)) == pytest.approx(lidar(of(narrow)))
