"""Targets of several columns, as estimators take them."""

from typing import Any

import numpy as np


def target_matrix(y: Any) -> np.ndarray | None:
    """Targets (N,K) of several columns; None where there is one value a series, or none."""
    if y is None or isinstance(y, list) and len({np.ndim(row) for row in y}) > 1:
        return None
    array = np.asarray(y)
    return array if array.ndim == 2 and array.shape[1] > 1 else None
