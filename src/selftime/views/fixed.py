"""Views with their settings fixed, and two plain ones: the series as it is, and a crop of it."""

from dataclasses import dataclass
from functools import partial

from torch import Generator

from selftime.data.batch import Batch
from selftime.views.draws import check_share, uniform
from selftime.views.pairs import crop, integers_between


class Fixed(partial[Batch]):
    """A view with other settings than its own: ``Fixed(jitter, strength=0.3)``.

    Its repr shows them and no address, so that a card says what was done.
    """

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.keywords.items())
        return f"{self.func.__name__}({settings})"


def same(x: Batch, rng: Generator) -> Batch:  # noqa: ARG001
    """The series as they are."""
    return x


@dataclass(frozen=True, kw_only=True)
class RandomCrop:
    """A stretch of each series at its own speed; the rest is cut off.

    The length is drawn once a batch, as a share of each series' own, so that equal lengths stay
    equal; where the crop lies is drawn for each series.

    Attributes:
        least: smallest share of the length that is kept, 0 to 1; 1 leaves the series as they are.

    Raises:
        ValueError: least outside 0 to 1.
    """

    least: float = 0.5

    def __post_init__(self) -> None:
        check_share("least", self.least)

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Crops of at least one step."""
        lengths = x.lengths.clamp(min=1)
        fewest = (self.least * lengths.double()).ceil().long().clamp(min=1)
        kept = integers_between(uniform(1, rng=rng, like=x.values), fewest, lengths)
        begin = integers_between(uniform(len(lengths), rng=rng, like=x.values), 0, lengths - kept)
        return crop(x, begin, kept)
