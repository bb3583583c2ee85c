"""Ridge regression of groups of features on each other, from one inverse."""

import numpy as np

from selftime.tasks.probing.ridge import residual_maps, solve_ridge


def test_one_inverse_leaves_out_each_group_in_turn():
    x = np.random.default_rng(0).normal(size=(200, 12)) @ np.random.default_rng(1).normal(
        size=(12, 12)
    )
    moments, penalty = x.T @ x, 3.0
    maps = residual_maps(moments, 4, penalty)
    assert maps.shape == (4, 3, 12)
    for g in range(4):
        own = np.arange(3 * g, 3 * g + 3)
        others = np.delete(np.arange(12), own)
        weights = solve_ridge(
            moments[np.ix_(others, others)], moments[np.ix_(others, own)], penalty
        )
        np.testing.assert_allclose(maps[g][:, own], np.eye(3), atol=1e-10)
        np.testing.assert_allclose(maps[g][:, others], -weights.T, atol=1e-10)
