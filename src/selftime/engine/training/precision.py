"""Half precision: used only where this machine computes an encoder in it nearly as in full."""

import math
import warnings

import torch
from accelerate import Accelerator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.engine.monitoring.monitors import evaluating
from selftime.engine.training.config import Choice, Precision

ERROR_LIMIT = 0.1
"""Relative error of embeddings above which half precision is refused. Measured in bfloat16 (2⁻⁸ =
0.004 an operation): 0.009 at most, over every network in ``selftime methods`` on two bundled sets
and on sine waves, and over small networks. Where each convolution of 8 taps on few channels gave
noise, as one does on some CPUs, a ResNet was 0.36 off or more."""


class Refused(UserWarning):
    """Half precision that was asked for, and is wrong on this machine."""


def error_of_half(encoder: Encoder, batch: Batch, accelerator: Accelerator) -> float:
    """Return the relative error of embeddings under the accelerator's autocast.

    It is the largest of all processes, so that they agree; not finite without any numbers.
    """
    with evaluating(encoder), torch.enable_grad():  # as in a step: some compute otherwise without
        full = encoder.embed(batch).detach().float()
        with accelerator.autocast():
            half = encoder.embed(batch).detach().float()
    error = (half - full).norm() / full.norm().clamp(min=torch.finfo(full.dtype).tiny)
    return float(accelerator.gather(error[None]).max())


def refusal(given: Precision, error: float) -> Choice | None:
    """Return full precision and the reason for it, or None where half precision is near enough."""
    if error <= ERROR_LIMIT:  # never where it is NaN
        return None
    off = f"{error:.0%} off" if math.isfinite(error) else "no numbers"
    reason = (
        f"{given} was given, but on this machine embeddings of the first batch are {off} in it "
        f"(healthy is at most {ERROR_LIMIT:.0%} off)"
    )
    return Choice("no", reason)


def refusal_message(refused: Choice) -> str:
    """Return the sentence that people read."""
    return f"{refused.reason}: learning in full precision instead; give precision 'no'"


def warn_of(refused: Choice | None) -> None:
    """Raise a Python warning, where no log is kept that says it."""
    if refused:
        warnings.warn(refusal_message(refused), Refused, stacklevel=3)
