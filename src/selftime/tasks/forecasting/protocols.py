"""Where training, validation and test part of a series lie, as in the literature."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesError

HOUR_MONTH = 30 * 24
"""A month of hourly steps, as the borders of the ETT sets count it (Zhou et al. 2021)."""


class Borders(NamedTuple):
    """Steps before which each part ends; parts follow each other from step 0.

    Attributes:
        train: the training part ends here; all that is fitted is fitted on it.
        validation: the validation part ends here; options are chosen on what came so far.
        end: the test part ends here; later steps are not used.
    """

    train: int
    validation: int
    end: int


class Protocol(NamedTuple):
    """How a series is cut, and how many steps its season has where that is known.

    Attributes:
        cut: from the number of steps to the borders.
        season: steps of a season; None where it is looked for in the training part.
    """

    cut: Callable[[int], Borders]
    season: int | None


def months(month: int) -> Callable[[int], Borders]:
    """12, 4 and 4 months of so many steps each (Zhou et al. 2021, section 5.1)."""

    def cut(T: int) -> Borders:
        if 20 * month > T:
            raise SeriesError(
                f"got {T} steps, wanted at least {20 * month} for 12, 4 and 4 months: "
                "use the protocol 70-10-20"
            )
        return Borders(12 * month, 16 * month, 20 * month)

    return cut


def seventy_ten_twenty(T: int) -> Borders:
    """70 % for training, the last 20 % for test, what is between for validation (Wu et al. 2021).

    Raises:
        SeriesError: fewer than 10 steps.
    """
    if T < 10:
        raise SeriesError(f"got {T} steps, wanted at least 10: give a longer series")
    return Borders(T * 7 // 10, T - T * 2 // 10, T)


PROTOCOLS: dict[str, Protocol] = {
    "ett-hourly": Protocol(months(HOUR_MONTH), 24),
    "ett-15min": Protocol(months(4 * HOUR_MONTH), 96),
    "70-10-20": Protocol(seventy_ten_twenty, None),
}
"""Protocols by the names people type."""


class ChannelScale(NamedTuple):
    """Mean and standard deviation of each channel, in the units of the data.

    Attributes:
        mean: (C,) what is subtracted.
        sd: (C,) what is divided by, above 0.
    """

    mean: Float[np.ndarray, "C"]
    sd: Float[np.ndarray, "C"]

    def apply(self, values: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
        """Values in units of ``sd`` around ``mean``."""
        return np.asarray((values - self.mean) / self.sd)

    def invert(self, values: Float[np.ndarray, "*T C"]) -> Float[np.ndarray, "*T C"]:
        """Scaled values back in their own units; channels are the last axis."""
        return np.asarray(values * self.sd + self.mean)


def channel_scale(values: Float[np.ndarray, "T C"]) -> ChannelScale:
    """The scale of each channel; a channel that does not vary has standard deviation 1."""
    mean, sd = values.mean(axis=0), values.std(axis=0)
    return ChannelScale(mean, np.where(sd > 1e-6 * np.abs(mean) + 1e-35, sd, 1.0))


def find_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        ValueError: no such protocol.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"got protocol {name!r}, wanted one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
