"""Eigenvectors of matrices of any size of entries, and threads that are given back."""

import numpy as np
import pytest
import torch

from selftime.data.principal import eigh, principal_axes
from selftime.data.threads import one_thread


@pytest.mark.parametrize("unit", [1.0, 1e-13, 1e-200, 1e200])
@pytest.mark.parametrize("rank", [1, 3, 60])
def test_eigenvectors_give_the_matrix_back(unit, rank):
    found = np.zeros((60, 60))
    found[:40, :40] = 1.0 if rank == 1 else 0.0  # many equal directions
    if rank > 1:
        some = np.random.default_rng(0).normal(size=(60, rank))
        found = some @ some.T
    e, Q = (part.numpy() for part in eigh(torch.from_numpy(unit * found)))
    assert np.all(np.diff(e) >= 0)
    np.testing.assert_allclose((Q * (e / unit)) @ Q.T, found, atol=1e-10)
    np.testing.assert_allclose(Q.T @ Q, np.eye(60), atol=1e-10)


def test_a_matrix_of_zeros_has_axes_too():
    variances, axes = principal_axes(np.zeros((4, 4)))
    assert (variances == 0).all() and np.allclose(axes.T @ axes, np.eye(4))


def test_threads_are_given_back_whatever_happens():
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="stopped"), one_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError("stopped")
    assert torch.get_num_threads() == threads
