"""Which encoders can be fed step by step, exactly, and why others cannot."""

from selftime.encoders.base import Encoder, Joined
from selftime.encoders.dilated import Dilated
from selftime.encoders.normalised import ByChannel, InstanceNormalised
from selftime.encoders.projected import Projected, Standardised, UnitLength
from selftime.encoders.recurrent import GRU, LSTM
from selftime.encoders.streamed import Apart, Mapped, SideBySide, Streamed, StreamError
from selftime.encoders.streamed_dilated import StreamedDilated
from selftime.encoders.streamed_prefix import Prefix
from selftime.encoders.streamed_recurrent import StreamedRecurrent


def streamed_steps(encoder: Encoder, streams: int) -> Streamed:
    """The encoder's tokens: at step t what ``encoder(x)[:, t]`` is.

    Raises:
        StreamError: no token a step, or one that depends on steps to come.
    """
    if isinstance(encoder, ByChannel):
        return Apart(streamed_steps(encoder.encoder, streams * encoder.channels), encoder.channels)
    if isinstance(encoder, Dilated) and encoder.causal:
        return StreamedDilated(encoder, streams)
    if isinstance(encoder, LSTM | GRU) and encoder.causal:
        return StreamedRecurrent(encoder, streams)
    raise StreamError(f"{reason(encoder)}: {INSTEAD}")


def body_of(encoder: Encoder) -> Encoder:
    """The network whose tokens are those of steps, without what standardises whole vectors.

    A model that was learned by gradient is such a network, standardised: its own tokens are what
    its objective made.
    """
    while isinstance(encoder, Standardised | UnitLength):
        encoder = encoder.encoder
    return encoder


def streamed_series(encoder: Encoder, streams: int) -> Streamed:
    """The encoder's vectors: at step t what ``encoder.embed(x[:, :, : t + 1])`` is.

    Raises:
        StreamError: what came before would have to be read anew.
    """
    if isinstance(encoder, ByChannel):
        return Apart(streamed_series(encoder.encoder, streams * encoder.channels), encoder.channels)
    if isinstance(encoder, Standardised | Projected | UnitLength):
        return Mapped(streamed_series(encoder.encoder, streams), encoder.after)
    if isinstance(encoder, Joined):
        parts = [streamed_series(part, streams) for part in encoder.encoders]
        return SideBySide(parts, encoder.weights or [1.0] * len(parts))
    inner = streamed_steps(encoder, streams)
    assert isinstance(encoder, Dilated | LSTM | GRU)  # the others were refused
    return Prefix(inner, encoder, streams)


INSTEAD = (
    "use window=512 (--window 512), which encodes the last 512 steps anew, "
    "or pretrain with encoder='dilated_causal'"
)


def reason(encoder: Encoder) -> str:
    """Why an encoder cannot be fed step by step."""
    name = type(encoder).__name__
    if isinstance(encoder, Dilated | LSTM | GRU):
        return f"{name} with causal=False looks at steps that are still to come"
    if isinstance(encoder, InstanceNormalised):
        return f"{name} takes level and scale from the whole series"
    if encoder.stride is None:
        return f"{name} sees a series only as a whole"
    if encoder.stride > 1:
        return f"{name} has one token for {encoder.stride} steps"
    if encoder.causal:
        return f"{name} goes back to all that came before at every step"
    return f"{name} looks at steps that are still to come"
