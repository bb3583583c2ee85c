"""MAE: the encoder sees visible patches alone, the decoder those that are given."""

import re

import pytest
import torch
from torch import Generator
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.patching import GridEmbedder, PatchEmbedder
from selftime.encoders.networks.transformer import Transformer
from selftime.objectives.jepa import JEPA
from selftime.objectives.mae import MAE
from selftime.objectives.parts.heads import Decoder, DecoderSize
from selftime.objectives.patches import (
    draw_patches,
    encode_visible,
    patch_steps,
    patches_of,
    visible_first,
)
from selftime.views.masks import hidden

LENGTHS = (24, 17, 9, 2, 1)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def dilated(channels: int = 2) -> Encoder:
    return Dilated(channels=channels, hidden=6, depth=3, dim=8, seed=1).double()


def transformer() -> Encoder:
    embedder = PatchEmbedder(channels=2, length=24, patch=2, stride=2, dim=8)
    return Transformer(embedder=embedder, depth=1, heads=2).double()


def masked(x: Batch, size: int, seed: int = 4) -> tuple[Batch, torch.Tensor, torch.Tensor]:
    """Series with hidden patches, which are visible, and which hidden; as MAE draws them."""
    free = patches_of(x, size).observed.flatten(2).any(dim=2)
    goes = draw_patches(free, 0.75, seeded(seed)) & (free.sum(dim=1, keepdim=True) > 1)
    return hidden(x, ~patch_steps(goes, size, x.values.shape[2])), free & ~goes, goes


def test_the_loss_is_that_of_a_loop_over_hidden_values() -> None:
    x = with_gap(ragged(LENGTHS), 4, 9)
    objective = MAE(encoder=dilated(), patch=4).double()
    seen, visible, goes = masked(x, 4)
    tokens = objective.encoder(seen)
    means = torch.zeros(5, 6, 8, dtype=torch.float64)
    for b, p in visible.nonzero().tolist():
        means[b, p] = tokens[b, 4 * p : min(4 * p + 4, LENGTHS[b])].mean(dim=0)
    made = objective.decoder(means, visible, goes)
    errors = [
        (made[b, t // 4, 4 * c + t % 4] - x.values[b, c, t]) ** 2
        for b, c, t in (x.observed & ~seen.observed).nonzero().tolist()
    ]
    assert len(errors) > 20
    torch.testing.assert_close(objective(x, seeded(4)).loss, sum(errors) / len(errors))


def test_three_patches_in_four_are_hidden_but_never_all() -> None:
    _, visible, goes = masked(ragged((64, 40, 8, 4, 1)), 4)  # 16, 10, 2, 1 and 1 patches
    assert goes.sum(dim=1).tolist() == [12, 8, 1, 0, 0]
    assert visible.sum(dim=1).tolist() == [4, 2, 1, 1, 1]


def test_visible_places_come_first_and_what_holds_something_last() -> None:
    visible = torch.tensor([[0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]]).bool()
    holding = torch.tensor([[0, 1, 0, 1, 1, 0], [1, 0, 1, 0, 0, 0]]).bool()
    assert visible_first(visible, holding).tolist() == [[1, 3], [2, 1]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [dilated, transformer])
def test_a_series_is_encoded_as_if_it_were_alone(make, seed: int) -> None:
    """Also where its last patch is hidden, of which the last step is left to be seen."""
    lengths = (48, 17, 9, 18, 9, 1)
    x, encoder = with_gap(ragged(lengths), 4, 8), make()
    seen, visible, goes = masked(x, 4, seed)
    assert any(goes[b, (length - 1) // 4] for b, length in enumerate(lengths[1:], start=1))
    tokens, embeddings = encode_visible(encoder, seen, visible, 4)
    for b in range(len(lengths)):
        part = Batch(seen.values[b : b + 1], seen.observed[b : b + 1])
        own_tokens, own_embedding = encode_visible(encoder, part, visible[b : b + 1], 4)
        torch.testing.assert_close(own_tokens[0], tokens[b])
        torch.testing.assert_close(own_embedding[0], embeddings[b])
    assert not tokens[~visible].any() and tokens[visible].any(dim=1).all()


def test_with_everything_visible_it_is_the_encoder_itself() -> None:
    x = ragged((24, 17))
    all_of_it = patches_of(x, 4).valid
    for encoder in (dilated(), transformer()):
        _, made = encode_visible(encoder, x, all_of_it, 4)
        torch.testing.assert_close(made, encoder.embed(x))


def test_the_decoder_looks_at_what_is_given_and_at_positions() -> None:
    decoder = Decoder(3, 5, seed=0).double()
    rng = seeded(1)
    tokens = torch.randn(1, 6, 3, generator=rng, dtype=torch.float64)
    visible = torch.tensor([[1, 0, 0, 1, 0, 0]]).bool()
    goes = torch.tensor([[0, 1, 0, 0, 1, 0]]).bool()
    made = decoder(tokens, visible, goes)
    other = decoder(tokens + 7 * ~visible[:, :, None], visible, goes)
    assert torch.equal(made, other)  # what stands in hidden places means nothing
    longer = torch.cat([tokens, tokens], dim=1)
    nothing = torch.zeros_like(visible)
    padding = [torch.cat([part, nothing], dim=1) for part in (visible, goes)]
    asked = visible | goes
    torch.testing.assert_close(decoder(longer, *padding)[:, :6][asked], made[asked])
    assert not torch.isclose(made[0, 1], made[0, 4]).any()  # two mask tokens, two places
    moved = decoder(tokens * (1 + visible[:, :, None]), visible, goes)
    assert not torch.isclose(moved[goes], made[goes]).all()


def test_a_decoder_that_says_zero_pays_the_mean_square_of_what_was_hidden() -> None:
    signs = torch.arange(64).reshape(2, 1, 32) % 3 % 2
    x = Batch(4.0 * signs - 2, torch.ones(2, 1, 32, dtype=torch.bool))
    objective = MAE(encoder=Dilated(channels=1, hidden=6, depth=3, dim=8))
    for weight in objective.decoder.out.parameters():
        weight.data.zero_()
    assert float(objective(x, seeded()).loss.detach()) == pytest.approx(4.0)


@pytest.mark.parametrize("make", [dilated, transformer])
def test_padding_draws_nothing_and_every_weight_learns(make) -> None:
    x, objective = ragged(), MAE(encoder=make(), patch=4).double()
    loss = objective(x, seeded(1)).loss
    torch.testing.assert_close(objective(padded(x, 13), seeded(1)).loss, loss)
    loss.backward()
    for name, weight in objective.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match=re.escape("got share=-0.1, wanted a share from 0 to 1")):
        MAE(encoder=dilated(), share=-0.1)


def test_normalised_targets_leave_level_and_scale_of_a_patch_out() -> None:
    x = ragged(LENGTHS)
    objective = MAE(encoder=dilated(), patch=4, normalise=True).double()
    seen, visible, goes = masked(x, 4)
    tokens, _ = encode_visible(objective.encoder, seen, visible, 4)
    made = objective.decoder(tokens, visible, goes).view(5, 6, 2, 4)
    errors = []
    for b, p in goes.nonzero().tolist():
        hides = (x.observed & ~seen.observed)[b, :, 4 * p : 4 * p + 4]
        wanted = x.values[b, :, 4 * p : 4 * p + 4][hides]
        centred = wanted - wanted.mean()
        wanted = centred / (centred.square().mean() + 1e-6).sqrt()
        errors += ((made[b, p, :, : hides.shape[1]][hides] - wanted) ** 2).tolist()
    assert len(errors) > 20
    assert float(objective(x, seeded(4)).loss.detach()) == pytest.approx(sum(errors) / len(errors))


def picture(columns: int = 4) -> Encoder:
    embedder = GridEmbedder(channels=2, rows=6, columns=columns, dim=8)
    return Transformer(embedder=embedder, positions="grid", depth=1, heads=2).double()


def test_of_pictures_the_decoder_knows_rows_and_columns() -> None:
    objective = MAE(encoder=picture(), patch=1)
    assert objective.decoder.columns == 4
    assert MAE(encoder=picture(), patch=2).decoder.columns == 2  # two patches of two a row
    assert MAE(encoder=picture(), patch=3).decoder.columns is None  # a row is not whole ones
    assert JEPA(encoder=picture(), patch=1).predictor.columns == 4
    assert MAE(encoder=dilated()).decoder.columns is None
    decoder, width = Decoder(3, 5, seed=0, columns=2).double(), 64
    tokens = torch.zeros(1, 4, 3, dtype=torch.float64)
    given: list[torch.Tensor] = []
    decoder.layers[0].register_forward_pre_hook(lambda part, args: given.append(args[0]))
    nothing = torch.zeros(1, 4, dtype=torch.bool)
    decoder(tokens, nothing, ~nothing)
    said = given[0][0] - decoder.mask_token
    torch.testing.assert_close(said[1, : width // 2], said[0, : width // 2])  # the same row
    torch.testing.assert_close(said[2, width // 2 :], said[0, width // 2 :])  # the same column


def test_a_decoder_has_the_size_that_is_given() -> None:
    size = DecoderSize(width=32, layers=3)
    objective = MAE(encoder=dilated(), decoder_size=size)
    assert len(objective.decoder.layers) == 3 and objective.decoder.out.in_features == 32
    assert "decoder_size=DecoderSize(width=32, layers=3)" in repr(objective)
    with pytest.raises(ValueError, match="got width=30, wanted a multiple of 8: 64 is usual"):
        DecoderSize(width=30)
    with pytest.raises(ValueError, match="got layers=0, wanted at least 1"):
        DecoderSize(layers=0)
