"""The cohort of a model: embeddings of some of the series it learned from, as they are stored."""

import numpy as np
import torch


def checked_cohort(cohort: torch.Tensor, dim: int) -> np.ndarray:
    """The stored cohort as an array.

    Raises:
        ValueError: not (K,``dim``) finite 32-bit numbers.
    """
    if cohort.dtype != torch.float32 or cohort.ndim != 2 or cohort.shape[1] != dim:
        raise ValueError(f"got a cohort of shape {tuple(cohort.shape)}, wanted (any, {dim})")
    if not bool(cohort.isfinite().all()):
        raise ValueError("the cohort holds values that are not finite")
    return cohort.numpy()
