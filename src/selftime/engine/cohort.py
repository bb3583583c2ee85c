"""The cohort of a model: embeddings of some of the series it learned from, as they are stored."""

import numpy as np
import torch


def check_reference_bank(reference_bank: torch.Tensor, dim: int) -> np.ndarray:
    """The stored cohort as an array.

    Raises:
        ValueError: not (K,``dim``) finite 32-bit numbers.
    """
    if reference_bank.dtype != torch.float32 or reference_bank.ndim != 2 or reference_bank.shape[1] != dim:
        raise ValueError(f"got a cohort of shape {tuple(cohort.shape)}, wanted (any, {dim})")
    if not bool(reference_bank.isfinite().all()):
        raise ValueError("the cohort holds values that are not finite")
    return reference_bank.numpy()
