"""Labels saved: the crossing of two curves beside a search, and the sentences."""

import math

import pytest

from selftime.tasks.comparison.gain import Savings, savings, two_digits, worth

COUNTS, THEIRS = [1, 2, 5, 10, 50], [0.4, 0.6, 0.5, 0.8, 0.9]


def accuracy_at(count):
    """The other's accuracy with so many labels, a straight line of log(labels) at a time."""
    left = max(i for i in range(len(COUNTS) - 1) if COUNTS[i] <= count)
    share = math.log(count / COUNTS[left]) / math.log(COUNTS[left + 1] / COUNTS[left])
    return THEIRS[left] + (THEIRS[left + 1] - THEIRS[left]) * share


@pytest.mark.late
@pytest.mark.parametrize("accuracy", [0.41, 0.55, 0.599, 0.61, 0.79, 0.8, 0.85, 0.9])
def test_equals_a_search_for_the_first_count_that_is_as_good(accuracy):
    step = 1.00005
    count = 1.0
    while accuracy_at(min(count, 50.0)) < accuracy - 1e-12 and count < 50:
        count *= step
    found = worth(2, accuracy, COUNTS, THEIRS)
    assert not found.at_least
    assert found.equivalent == pytest.approx(min(count, 50), rel=1e-4)  # one step of the search
    assert found.factor == pytest.approx(found.equivalent / 2)


def test_by_hand():
    [few, many] = savings([1, 5], [0.5, 0.7], [5, 20, 80], [0.5, 0.6, 0.8])
    assert few == Savings(1, 5, at_least=False)
    assert many.equivalent == pytest.approx(40)  # half way between 20 and 80
    assert many.in_words("supervised from scratch") == (
        "with 5 labels per class this model is as good as supervised from scratch with 40: "
        "8 times fewer labels"
    )


def test_a_row_that_never_gets_there():
    found = worth(1, 0.95, COUNTS, THEIRS)
    assert found == Savings(1, 50, at_least=True)
    assert found.in_words("MiniRocket") == (
        "with 1 label per class this model is better than MiniRocket with 50, the most that was "
        "tried: at least 50 times fewer labels"
    )


def test_nothing_more_to_give_the_other_says_nothing_of_a_factor():
    assert worth(50, 0.95, COUNTS, THEIRS).in_words("MiniRocket") == (
        "with 50 labels per class this model is better than MiniRocket with 50, the most that was "
        "tried"
    )


@pytest.mark.parametrize("accuracy, equivalent", [(0.3, "1"), (0.5, "1.4"), (0.6, "2")])
def test_labels_that_were_not_saved(accuracy, equivalent):
    assert worth(2, accuracy, COUNTS, THEIRS).in_words("scratch") == (
        "with 2 labels per class self-supervision did not save labels here: scratch is as good "
        f"with {equivalent}"
    )


def test_means_of_labels_are_no_whole_numbers():
    assert [two_digits(x) for x in (1, 1.44, 9.96, 10.4, 123.4)] == ["1", "1.4", "10", "10", "123"]


@pytest.mark.parametrize(
    "counts, accuracies, text",
    [
        ([], [], "got 0 numbers of labels and 0 accuracies"),
        ([1, 2], [0.5], "got 2 numbers of labels and 1 accuracies, wanted one accuracy for each"),
        ([1, 1], [0.5, 0.6], r"got numbers of labels \[1, 1\], wanted positive ones in ascending"),
        ([0, 1], [0.5, 0.6], "leave out those that come twice"),
    ],
)
def test_curves_that_are_none_are_refused(counts, accuracies, text):
    with pytest.raises(ValueError, match=text):
        savings([1], [0.5], counts, accuracies)
    with pytest.raises(ValueError, match=text):
        savings(counts, accuracies, COUNTS, THEIRS)
