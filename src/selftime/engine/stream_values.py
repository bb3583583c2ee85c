"""Values on their way into a stream: of the right shape, missing where not finite, scaled."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64

from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.encoders.streamed import StreamError

Cube = Float64[np.ndarray, "S C k"]
"""The next k steps of all streams."""
MeanAndSd = tuple[Float32[np.ndarray, "1 C 1"], Float32[np.ndarray, "1 C 1"]]
"""What is subtracted from values and what they are then divided by."""
VALUE_LIMIT = 1e12
"""Scaled values count as no larger, so that a wild one does not overflow in the network and go on
as NaN for as long as the stream remembers it."""
FLOAT32_MAX = float(np.finfo(np.float32).max)
"""The largest 32-bit number."""


def cube_of(x: Any, streams: int | None, channels: int) -> tuple[Cube, bool]:
    """Values (S,C,k), and whether a single step was given.

    Raises:
        StreamError: another shape, or not numbers.
    """
    step = (channels,) if streams is None else (streams, channels)
    try:
        values = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StreamError(f"got {type(x).__name__} ({error}), wanted numbers {step}") from None
    if values.ndim == 0 and step == (1,):
        values = values[None]
    if values.shape == step:
        return values.reshape(streams or 1, channels, 1), True
    if values.shape[:-1] == step and values.shape[-1] > 0:
        return values.reshape(streams or 1, channels, -1), False
    chunk = str(step).replace(",)", ")").replace(")", ", k)")
    raise StreamError(
        f"got values of shape {values.shape}, wanted {step} for one step or {chunk} for k "
        f"steps: {'one stream' if streams is None else f'{streams} streams'} of "
        f"{'1 channel' if channels == 1 else f'{channels} channels'}"
    )


def batch_from_cube(cube: Cube, scale: MeanAndSd | None = None) -> Batch:
    """Values as 32-bit numbers; what is not finite is missing.

    Args:
        cube: (S,C,k) what came.
        scale: brings values to the model's units, within ±:data:`VALUE_LIMIT`.
    """
    observed = np.isfinite(cube)
    values = _clip(np.where(observed, cube, 0.0), FLOAT32_MAX).astype(np.float32)
    if scale is not None:  # in arrays: for a single step they are faster than tensors
        with np.errstate(over="ignore"):
            values = _clip((values - scale[0]) / scale[1], VALUE_LIMIT)
    return Batch(torch.from_numpy(values), torch.from_numpy(observed))


def _clip(values: np.ndarray, most: float) -> np.ndarray:
    """The values, where they are beyond ±most that."""
    bound: np.ndarray = np.minimum(np.maximum(values, -most), most)  # clip takes longer
    return bound


def stream_scale(scaling: Scaling, channels: int) -> MeanAndSd:
    """The scale of every stream, where series are scaled alike."""
    blank = torch.zeros(1, channels, 1)
    mean, sd = scaling.scale_of(Batch(blank, blank == 0))
    return mean.numpy(), sd.numpy()


def bounded(x: Batch) -> Batch:
    """Values within ±:data:`VALUE_LIMIT`."""
    return Batch(x.values.clamp(-VALUE_LIMIT, VALUE_LIMIT), x.observed)
