"""Embeddings as a table: vectors of series beside what names them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from selftime.data.frames import Tabular, join_columns
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesSet
from selftime.encoders.base import on_device
from selftime.engine.model import ModelOrFolder, model_at
from selftime.progress import Progress


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Embeddings(Tabular):
    """Vectors of N series beside what names them, as :func:`embed` returns them.

    Attributes:
        series: the series.
        vectors: (N,D), one for each.
    """

    series: SeriesSet
    vectors: Float32[np.ndarray, "N D"]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: ARG002
        return self.vectors if dtype is None else self.vectors.astype(dtype)

    def to_columns(self) -> dict[str, Any]:
        """Return ids (of windows also start and end), ``vectors``, and labels if there are any.

        In a frame the numbers of the vectors are columns ``e0``, ``e1`` and so on.
        """
        labels = {} if self.series.labels is None else {"label": self.series.labels}
        return join_columns(self.series.keys(), {"vectors": self.vectors}, labels)


def embed(
    model: ModelOrFolder,
    x: Any,
    *,
    device: str = "cpu",
    progress: bool | Progress | None = None,
) -> Embeddings:
    """Return one vector for each series beside its id, as a table.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> found = st.embed(st.pretrain(x, encoder="quantiles"), x)
        >>> found.to_polars().columns[:2], found.vectors.shape[0]
        (['unique_id', 'e0'], 20)

    Args:
        model: pretrained, or its folder.
        x: whatever :func:`selftime.read` takes.
        device: where vectors are computed, such as "cuda" or "mps"; those of a GPU are those of the
            CPU within rounding.
        progress: a bar where a person looks when None; :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: bad input, or other channels than the model was made for.
        ValueError: a device that this machine has not.
    """
    model = model_at(model)
    model = replace(model, encoder=on_device(model.encoder, device))
    series = read(x, kind=kind_for(x, model.kind))
    vectors = model.embed(series, progress=progress)
    return Embeddings(series=series, vectors=vectors)
