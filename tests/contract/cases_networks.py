"""Small instances of the convolutional and recurrent networks."""

from kinds import EncoderCase

CASES: dict[str, EncoderCase] = {}
