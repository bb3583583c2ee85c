"""Forecasts as frames of the kind that came in."""

from typing import Any

import narwhals as nw
from narwhals.dependencies import is_into_dataframe

from selftime.tasks.forecasting.outlook import Forecasts


def frame_like(source: Any, forecasts: Forecasts) -> Any:
    """A frame of the same kind as the source (pandas, polars, arrow), else the array (N,C,H)."""
    if not is_into_dataframe(source):
        return forecasts.mean
    kind = nw.from_native(source).implementation
    return nw.from_dict(forecasts.columns(), backend=kind).to_native()
