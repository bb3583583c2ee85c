"""How badly the next few steps are told from those before them, in closed form."""

import numpy as np
from jaxtyping import Float

from selftime.tasks.anomaly.record import Record
from selftime.tasks.anomaly.scores.inpainting import ridge

AHEAD = 8
"""One step is forecast for so many of the past."""


def forecast(record: Record) -> Float[np.ndarray, "T"]:
    """Error of ridge regression from a window to the steps after it, fitted on the normal part.

    The error of each step ahead is divided by its median size in the normal part, so that later
    ones, which are always worse, do not drown the first; a window has their root mean square.
    """
    ahead = max(record.width // AHEAD, 1)
    back = max(min(record.width, record.train - ahead), 1)
    width = min(back + ahead, record.steps)
    starts = record.starts(width)
    windows = record.windows(width, starts)
    normal = starts + width <= record.train
    normal[0] = True  # there must be one
    centred = windows - windows[normal].mean(axis=0)
    before, after = centred[:, :-ahead], centred[:, -ahead:]
    missed = np.abs(after - before @ ridge(before[normal], after[normal]))
    usual = np.median(missed[normal], axis=0)
    errors = np.sqrt(np.square(missed / np.maximum(usual, 1e-3)).mean(axis=1))  # of values' spread
    if record.past_only:
        return record.over_steps(errors, starts, width)
    at = starts + width - 1 - ahead // 2
    return record.smooth(np.interp(np.arange(record.steps), at, errors))
