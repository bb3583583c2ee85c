"""Every encoder that can be trained learns by a contrast and by masked patches, under the laws."""

from functools import partial

import gradient_laws as laws
import pytest
from cases import ENCODER_CASES
from kinds import EncoderCase, GradientCase

from selftime.objectives.base import Objective
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.simclr import SimCLR
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent, RandomCrop


def by_contrast(channels: int, seed: int, *, case: EncoderCase) -> Objective:
    """Whole series told apart, seen through a view that draws a few numbers a series."""
    encoder = case.make(channels, seed)
    pair = Independent(view=magnitude_warp if encoder.symbols is None else crop_by_half)
    return SimCLR(encoder=encoder, pair=pair, seed=seed)


crop_by_half = RandomCrop(least=0.5)
"""A view that leaves symbols whole."""


def by_masking(channels: int, seed: int, *, case: EncoderCase) -> Objective:
    """Hidden patches predicted from tokens."""
    return MaskedPatches(encoder=case.make(channels, seed), seed=seed)


def is_trained(case: EncoderCase) -> bool:
    return any(weight.requires_grad for weight in case.make(2, 0).parameters())


LAWS = (
    laws.gives_a_finite_scalar_loss,
    laws.what_it_reports_is_detached,
    laws.every_trainable_weight_gets_a_gradient_and_no_frozen_one,
    laws.the_loss_falls,
    laws.numbers_where_nothing_was_observed_change_nothing,
    laws.padding_changes_nothing,
    laws.the_shortest_series_work,
    laws.unequal_lengths_work,
    laws.several_ranks_learn_what_one_does,
)
LEFT_OUT = {
    "masked_patches": ("Layered", "Layered, halfway"),  # no tokens along time
    "simclr": ("Layered, halfway",),  # the layers behind are not used
}
LONG = (laws.the_loss_falls, laws.several_ranks_learn_what_one_does)
"""Kept in both ways by one case of each class, by the others where tokens are trained."""
POOLED_BY_ATTENTION = ("ClassToken", "ByChannel, class token")
"""Their pooling has weights of its own, which objectives that read tokens alone do not train."""
PAIRS = [
    pytest.param(
        law,
        GradientCase(partial(make, case=case), read=case.read),
        id=f"{name}-{way}-{law.__name__}",
    )
    for name, case in ENCODER_CASES.items()
    if is_trained(case)
    for way, make in {"simclr": by_contrast, "masked_patches": by_masking}.items()
    if name not in LEFT_OUT[way]
    for law in LAWS
    if not (law in LONG and "," in name and way == "simclr")
    if not (
        way == "masked_patches"
        and name in POOLED_BY_ATTENTION
        and law is laws.every_trainable_weight_gets_a_gradient_and_no_frozen_one
    )
]


@pytest.mark.slow
@pytest.mark.parametrize("law, case", PAIRS)
def test_encoder_learns(law, case):
    law(case)


def test_every_network_is_among_them():
    names = {str(pair.id).partition("-")[0].partition(",")[0] for pair in PAIRS}
    assert {"Dilated", "ResNet", "InceptionTime", "PooledCNN", "LSTM", "GRU"} <= names
    assert {"GridEmbedder", "SymbolEmbedder", "WaveEmbedder", "FrameEmbedder", "Embedded"} <= names
    assert {"Transformer", "ClassToken", "InstanceNormalised", "ByChannel"} <= names
