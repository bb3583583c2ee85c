"""The letters used everywhere: B series, C channels, T steps, N tokens, D features.

Every signature in the package is written with these axes; under pytest jaxtyping and
beartype check them on each call.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Values = Float[Tensor, "B C T"]
"""A batch of series."""
Observed = Bool[Tensor, "B C T"]
"""True where a value was measured, False where it is missing or padding."""
Lengths = Int[Tensor, "B"]
"""Steps of each series, without padding."""
Tokens = Float[Tensor, "B N D"]
"""Vectors of the parts of each series, from an encoder."""
Embedding = Float[Tensor, "B D"]
"""One vector for each series, from an encoder."""
