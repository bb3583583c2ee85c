"""Small instances of the Transformers."""

from kinds import EncoderCase

CASES: dict[str, EncoderCase] = {}
