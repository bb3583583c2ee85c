"""The frozen representation of a pretrained model as features of windows."""

import numpy as np
import torch
from jaxtyping import Float, Float32

from selftime.data.batch import Batch
from selftime.data.series import SeriesError
from selftime.engine.model import Model


class ModelVectors:
    """The frozen representation of a model as features of windows.

    Attributes:
        model: what embeds.
        apart: whether each channel is embedded by itself.
    """

    def __init__(self, model: Model, channels: int) -> None:
        """Check that the model suits so many channels.

        Raises:
            SeriesError: it was made for another number of channels, and not for one.
        """
        if len(model.channels) not in (1, channels):
            raise SeriesError(
                f"got a model of {len(model.channels)} channels for series of {channels}, wanted 1 "
                f"or {channels}: pretrain on the same channels, or on single ones"
            )
        self.model, self.apart = model, len(model.channels) == 1

    def of(self, past: Float32[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C D"]:
        """Vectors of the last steps of each channel, in units of the spread of the channel.

        Where the model takes all channels at once, each channel is given the vector of all.
        """
        N, C, L = past.shape
        rows = past.reshape(N * C, 1, L) if self.apart else past
        spread = rows.std(axis=2, keepdims=True) + 0.01
        x = torch.from_numpy(np.ascontiguousarray((rows - rows[:, :, -1:]) / spread))
        with torch.inference_mode():
            batch = self.model.scaling.apply(Batch(x.float(), torch.ones_like(x, dtype=torch.bool)))
            vectors: Float[np.ndarray, "R D"] = self.model.encoder.embed(batch).numpy()
        if self.apart:
            vectors = vectors.reshape(N, C, -1)
        else:
            vectors = np.repeat(vectors[:, None], C, axis=1)
        own = past.std(axis=2, keepdims=True) + np.float32(0.01)
        return np.asarray(vectors * own, np.float32)
