"""Named encoders for every kind of signal: what reads what, sizes as they are said, refusals."""

import re

import pytest
import torch

from selftime.data.batch import Batch
from selftime.data.signals import SIGNALS, Film, Images, Measurements, Signal, Sound, Text, Wave
from selftime.encoders.builders import (
    BUILDERS,
    ENCODER_NAMES,
    READS,
    SIGNAL_BUILDERS,
    build_encoder,
    embedder_for,
)
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.recurrent import GRU
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.embedded import Embedded

KINDS: dict[str, tuple[Signal, int, int]] = {
    "series": (Measurements(), 2, 24),
    "images": (Images(height=12, width=20, patch=4), 16, 15),
    "text": (Text(vocabulary=tuple("abcdefg")), 1, 24),
    "sound": (Sound(rate=8000, bands=6), 6, 24),
    "wave": (Wave(rate=8000), 1, 640),
    "film": (Film(height=4, width=6, colours=1), 24, 8),
}
"""A kind, channels and steps of each name."""


def series_of(kind: Signal, channels: int, steps: int) -> Batch:
    values = torch.randn(2, channels, steps, generator=torch.Generator().manual_seed(0))
    if kind.symbols is not None:
        values = values.abs().mul(3).floor().clamp(max=kind.symbols - 1)
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def test_every_kind_has_encoders_and_every_encoder_a_kind():
    assert set(READS) == set(KINDS) == set(SIGNALS)
    assert {name for names in READS.values() for name in names} == set(ENCODER_NAMES)


@torch.no_grad()
@pytest.mark.late
@pytest.mark.parametrize("name", KINDS)
def test_what_reads_a_kind_does_so(name):
    kind, channels, steps = KINDS[name]
    x = series_of(kind, channels, steps)
    for encoder in READS[name]:
        made = build_encoder(encoder, kind=kind, channels=channels, length=steps, seed=1)
        made.prepare(x, torch.Generator().manual_seed(0))
        assert made.embed(x).shape == (2, made.dim) and made.embed(x).isfinite().all()
        drawn = any(True for _ in made.parameters())
        assert made.symbols == (kind.symbols if drawn else None)
        assert getattr(made, "channels", channels) == channels


def test_series_are_read_as_ever():
    for name in ("transformer", "dilated", "gru"):
        made = build_encoder(name, kind=Measurements(), channels=2, length=24, seed=3)
        assert repr(made) == repr(BUILDERS[name](channels=2, length=24, seed=3))


def test_networks_read_tokens_of_text_waves_and_film():
    for name in ("text", "wave", "film"):
        kind, channels, steps = KINDS[name]
        made = build_encoder("dilated_causal", kind=kind, channels=channels, length=steps)
        assert isinstance(made, Embedded) and isinstance(made.encoder, Dilated) and made.causal
        assert type(made.embedder) is type(embedder_for(kind, channels=channels, length=steps))
    kind, channels, steps = KINDS["images"]
    assert isinstance(build_encoder("dilated", kind=kind, channels=channels, length=steps), Dilated)
    picture = build_encoder("transformer", kind=kind, channels=channels, length=steps)
    assert isinstance(picture, Transformer)
    assert (picture.positions, picture.columns) == ("grid", 5)


def weights(name: str, kind: Signal, channels: int, length: int) -> float:
    made = build_encoder(name, kind=kind, channels=channels, length=length)
    return sum(weight.numel() for weight in made.parameters()) / 1e6


def test_sizes_are_as_the_docstrings_say():
    vit, bert, cpc, film = SIGNAL_BUILDERS.values()
    kind = Text(vocabulary=tuple("abcdefg"))
    assert round(weights("vit_tiny", Images(height=28, width=28), 16, 49), 1) == 0.5
    assert round(weights("bert_mini", kind, 1, 128), 1) == 2.1
    assert round(weights("cpc_audio", Wave(rate=16000), 1, 8000), 1) == 0.4
    assert round(weights("frames_small", Film(height=1, width=1), 1, 16), 1) == 0.3
    assert "0.5\n    million" in vit.__doc__ and "2.1 million" in bert.__doc__
    assert "0.4 million" in cpc.__doc__ and "0.3 million" in film.__doc__
    audio = build_encoder("cpc_audio", kind=Wave(rate=16000), channels=1, length=8000)
    assert audio.stride == 160 and audio.causal and isinstance(audio.encoder, GRU)


@pytest.mark.parametrize(
    "name, kind, wanted",
    [
        ("rocket", KINDS["text"][0], "for text, which it does not read, wanted one of dilated,"),
        ("vit_tiny", KINDS["text"][0], "lstm, gru, transformer, bert_mini"),
        ("patchtst_42", KINDS["film"][0], "for film, which it does not read"),
        ("cpc_audio", Measurements(), "got encoder='cpc_audio' for series"),
        ("bert_mini", KINDS["images"][0], "patchtst_masked, vit_tiny"),
    ],
)
def test_what_does_not_read_a_kind_is_refused_with_those_that_do(name, kind, wanted):
    with pytest.raises(ValueError, match=re.escape(wanted)):
        build_encoder(name, kind=kind, channels=1, length=8)
