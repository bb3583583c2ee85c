"""What comes into a stream: scaled, within bounds, missing where not finite."""

import numpy as np
import pytest
import torch

from selftime.data.scaling import SCALED_LEAST, SCALED_LIMIT, PerChannel
from selftime.engine.streaming.stream import FLOAT32_MAX, batch_from_cube, cube_of, stream_scale

WILD = [np.inf, -np.inf, np.nan, 1e300, -1e300, FLOAT32_MAX, -FLOAT32_MAX, 1e12, -1e12, 0.0, 3.7]
TINY = [1e-45, -1e-38, 1e-31, -2e-30]


@pytest.mark.parametrize("mean, sd", [(0.0, 1.0), (5.0, 2e-30), (-3e38, 1e30), (1e6, 1e-3)])
def test_values_are_scaled_as_offline_and_bounded(mean, sd):
    scaling = PerChannel(mean=(mean,), sd=(sd,))
    cube = np.array([[WILD + TINY]])
    got = batch_from_cube(cube, stream_scale(scaling, 1))
    plain = batch_from_cube(cube)
    offline = scaling.apply(plain).values.numpy()
    valid = np.isfinite(cube)
    np.testing.assert_array_equal(got.observed.numpy(), valid)
    np.testing.assert_array_equal(got.values.numpy()[valid], offline[valid])
    size = np.abs(got.values.numpy())
    assert size.max() <= np.float32(SCALED_LIMIT)
    assert size[size > 0].min() > SCALED_LEAST


def test_without_a_scale_values_are_32_bit_numbers_as_they_are():
    got = batch_from_cube(np.array([[WILD]]))
    wanted = [FLOAT32_MAX, -FLOAT32_MAX, FLOAT32_MAX, -FLOAT32_MAX, 1e12, -1e12, 0.0, 3.7]
    np.testing.assert_array_equal(got.values[0, 0, 3:].numpy(), np.float32(wanted))
    assert got.observed[0, 0].tolist() == [False] * 3 + [True] * 8


def test_masked_values_are_missing_and_gradients_are_let_go():
    masked = np.ma.masked_array([1.0, 1e300], mask=[False, True])
    np.testing.assert_array_equal(cube_of(masked, None, 2)[0].ravel(), [1.0, np.nan])
    tensor = torch.tensor([1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(cube_of(tensor, None, 2)[0].ravel(), [1.0, 2.0])


def test_a_scale_is_one_number_a_channel():
    mean, sd, *bounds = stream_scale(PerChannel(mean=(1.0, 2.0), sd=(3.0, 4.0)), 2)
    assert bounds == [None, None]
    np.testing.assert_array_equal(mean, np.array([[[1], [2]]], np.float32))
    np.testing.assert_array_equal(sd, np.array([[[3], [4]]], np.float32))
