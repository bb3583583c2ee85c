from fractions import Fraction

import numpy as np
import pytest
import torch

from selftime.data.series import SeriesError, SeriesSet

RAGGED = [np.array([[1.0, 2.0], [5.0, np.nan]]), np.array([[3.0], [7.0]])]


def test_an_array_lies_step_by_step():
    cube = np.arange(12.0).reshape(2, 3, 2)  # (N,C,T)
    x = SeriesSet.of(cube)
    assert x.steps.tolist() == [cube[i, :, t].tolist() for i in range(2) for t in range(2)]
    assert x.offsets.tolist() == [0, 2, 4]
    assert x.observed is None
    assert np.array_equal(x.values, cube)


def test_two_axes_mean_one_channel():
    x = SeriesSet.of(np.array([[1, 2, 3], [4, 5, 6]]))
    assert repr(x) == "SeriesSet(2 series, 1 channels, 3 steps)"
    assert x.series(1).tolist() == [[4, 5, 6]]


def test_a_list_may_have_unequal_lengths_and_nan_is_missing():
    x = SeriesSet.of(RAGGED, ["a", "b"], channels=["u", "v"])
    assert repr(x) == "SeriesSet(2 series, 2 channels, 1 to 2 steps)"
    assert x.is_ragged
    assert x.observed is not None
    assert x.observed.tolist() == [[True, True], [True, False], [True, True]]
    assert x.steps.tolist() == [[1, 5], [2, 0], [3, 7]]
    assert np.array_equal(x.series(0), RAGGED[0], equal_nan=True)


def test_masked_entries_are_missing_and_the_input_stays():
    given = np.ma.masked_equal(np.array([[1, 2, 3]]), 2)
    x = SeriesSet.of(given)
    assert np.array_equal(x.series(0), [[1, np.nan, 3]], equal_nan=True)
    assert given.mask.tolist() == [[False, True, False]]


@pytest.mark.parametrize(
    ("index", "ids"),
    [(1, ["1"]), (-1, ["3"]), (slice(1, 3), ["1", "2"]), ([3, 0], ["3", "0"])],
)
def test_choosing_keeps_everything_that_belongs_to_a_series(index, ids):
    lengths = np.array([2, 1, 3, 2])
    steps = np.arange(16, dtype=np.float32).reshape(8, 2)
    steps[3, 1] = np.nan
    x = SeriesSet.from_steps(steps, lengths, labels=np.arange(4) * 10)
    x = SeriesSet.of(x, groups=["g0", "g1", "g2", "g3"])
    selected = x[index]
    assert selected.ids.tolist() == ids
    for i, name in enumerate(ids):
        assert np.array_equal(selected.series(i), x.series(int(name)), equal_nan=True)
        assert selected.labels[i] == int(name) * 10
        assert selected.groups[i] == f"g{name}"


def test_a_boolean_mask_chooses_and_iteration_ends():
    x = SeriesSet.of(np.arange(6.0).reshape(3, 2))
    assert x[np.array([True, False, True])].ids.tolist() == ["0", "2"]
    assert [part.ids[0] for part in x] == ["0", "1", "2"]


def test_of_a_series_set_replaces_only_what_is_given():
    x = SeriesSet.of(RAGGED, ["a", "b"], groups=[1, 1], ids=["p", "q"])
    y = SeriesSet.of(x, [0, 1], channels=["u", "v"])
    assert y.labels.tolist() == [0, 1]
    assert y.groups.tolist() == [1, 1]
    assert y.ids.tolist() == ["p", "q"]
    assert y.channels == ("u", "v")
    assert SeriesSet.of(x).labels.tolist() == ["a", "b"]


def test_the_fingerprint_tells_values_gaps_and_lengths_apart():
    one = SeriesSet.of([[1.0, 2.0, 3.0]])
    assert one.fingerprint() == SeriesSet.of([[1.0, 2.0, 3.0]]).fingerprint()
    others = ([[1.0, 2.0, 4.0]], [[1.0, 2.0], [3.0]], [[1.0, np.nan, 3.0]], [[1.0, 0.0, 3.0]])
    assert len({SeriesSet.of(x).fingerprint() for x in others} | {one.fingerprint()}) == 5


@pytest.mark.parametrize(
    ("x", "text"),
    [
        ([], "got no series, wanted at least one"),
        (np.empty((0, 2, 5)), "got no series"),
        (np.empty((2, 0, 5)), "got 0 channel names for 0 channels: at least one channel"),
        (np.empty((2, 3, 0)), "series '0' is empty, wanted at least 1 step"),
        ([[1.0], []], "series '1' is empty"),
        (np.zeros(3), r"got an array of shape \(3,\), .* a single series is x\[None\]"),
        (np.zeros((1, 1, 1, 1)), "got an array of shape"),
        ("file.csv", "got str, wanted a path, a frame, an array"),
        ([[1.0], ["a"]], "series 1 holds <U1, wanted real numbers"),
        ([[[1, 2], [3]]], "series 0 is not numbers"),
        (np.array([[1 + 2j]]), "the array holds complex128, wanted real numbers"),
        (np.array([["2020-01-01"]], "M8[D]"), "the array holds datetime64"),
        ([1.0, 2.0], r"series 0 has shape \(\), wanted \(channels, steps\)"),
        ([np.zeros((2, 3)), np.zeros((1, 3))], "series 1 has 1 channels, series 0 has 2"),
        (np.array([[[1.0, 2.0], [3.0, np.inf]]]), "series 0, channel 1, step 1 is inf, .* rescale"),
        ([[1.0], [2.0, -1e39]], "series 1, channel 0, step 1 is -1e.39, wanted finite 32-bit"),
        ([[1.0], [np.nan, np.nan]], "series '1' has no observed value at all: drop it"),
        ([[1.0, 10**400]], "series 0 holds a number beyond 64 bits, wanted finite 32-bit"),
        ([[1.0, Fraction(10**400, 3)]], "series 0 holds a number beyond 64 bits"),
        (torch.ones(2, 3, device="meta"), "the array cannot be read as an array .* dense arrays"),
        (torch.eye(3).to_sparse(), "the array cannot be read as an array .* dense arrays"),
        ([[torch.ones(1, requires_grad=True)] * 2], "series 0 cannot be read .* without gradients"),
    ],
)
def test_bad_arrays_are_named(x, text):
    with pytest.raises(SeriesError, match=text):
        SeriesSet.of(x)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).view(2, 1, 6).requires_grad_(),
        torch.arange(12.0).view(2, 1, 6).bfloat16(),
        torch.arange(12).view(2, 6),
    ],
)
def test_tensors_are_arrays(tensor):
    """With a gradient, of a type that numpy has not, whole or as a list of series."""
    wanted = np.arange(12, dtype=np.float32).reshape(2, 1, 6)
    np.testing.assert_array_equal(SeriesSet.of(tensor).values, wanted)
    np.testing.assert_array_equal(SeriesSet.of(list(tensor)).values, wanted)
    labels = SeriesSet.of(tensor, labels=torch.tensor([1.0, float("nan")], requires_grad=True))
    assert labels.labels.tolist() == [1.0, None]


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"labels": [1]}, "got 1 labels for 2 series: one each is wanted"),
        ({"labels": [[1], [2]]}, r"labels have shape \(2, 1\), wanted one value a series"),
        ({"labels": [[1], [2, 3]]}, "labels are nested unevenly"),
        ({"labels": torch.ones(2, device="meta")}, "labels cannot be read as an array"),
        ({"labels": np.array(["a", 1], object)}, "labels mix int, str, wanted one type"),
        ({"groups": ["a", "b", "c"]}, "got 3 groups for 2 series"),
        ({"ids": ["a", "a"]}, "series ids repeat, wanted unique ones"),
        ({"ids": ["a"]}, "got 1 ids for 2 series"),
        ({"channels": ["u"]}, "got 1 channel names for 2 channels"),
    ],
)
def test_columns_that_do_not_match_are_named(columns, text):
    with pytest.raises(SeriesError, match=text):
        SeriesSet.of(RAGGED, **columns)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"offsets": np.array([1, 3])}, "offsets run from 1 to 3, wanted 0 to 3"),
        ({"offsets": np.array([0, 2])}, "offsets run from 0 to 2, wanted 0 to 3"),
        ({"offsets": np.array([0])}, "got no series"),
        ({"offsets": np.array([], np.int64)}, "got no series"),
        ({"times": np.arange(2.0)}, "got 2 times for 3 steps"),
        ({"steps": np.array([[1], [np.inf], [-np.inf]], np.float32)}, "step 1 is inf"),
        ({"steps": np.array([[1], [np.nan], [0]], np.float32)}, "step 1 is nan"),
    ],
)
def test_whatever_must_hold_is_checked(change, text):
    parts = {
        "steps": np.ones((3, 1), np.float32),
        "offsets": np.array([0, 3]),
        "channels": ("0",),
        "ids": np.array(["0"]),
    }
    assert len(SeriesSet(**parts)) == 1
    with pytest.raises(SeriesError, match=text):
        SeriesSet(**(parts | change))
