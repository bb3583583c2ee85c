"""What patches hold: values with squared errors, symbols with cross entropies, beside loops."""

import math
import re

import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import SymbolEmbedder
from selftime.encoders.wrappers.embedded import Embedded
from selftime.objectives.parts.codebook import Codebook, Vocabulary, words_of
from selftime.objectives.parts.content import (
    PatchSymbols,
    PatchValues,
    content_of,
    standard_patches,
)
from selftime.objectives.parts.heads import PatchHead
from selftime.objectives.patches import Patches, patches_of

V = 4


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(3), dtype=torch.float64)


def network() -> Embedded:
    embedder = SymbolEmbedder(symbols=V, length=8, dim=6)
    return Embedded(embedder=embedder, encoder=Dilated(channels=6, hidden=4, depth=2, dim=5))


def text() -> Batch:
    values = torch.arange(24.0, dtype=torch.float64).view(3, 1, 8).mul(7).remainder(V)
    observed = torch.ones(3, 1, 8, dtype=torch.bool)
    observed[0, 0, 3] = observed[2, 0, 6:] = False
    return Batch(values.where(observed, 1e6), observed)


def cross_entropy_loop(logits: Tensor, symbol: int) -> float:
    return math.log(sum(math.exp(v) for v in logits.tolist())) - float(logits[symbol])


def test_a_guess_at_symbols_costs_the_cross_entropy_of_each_that_was_observed():
    content, cut = PatchSymbols(symbols=V, size=2), patches_of(text(), 2)
    said = numbers(3, 4, content.width)
    read = content.read(said)
    each = [
        cross_entropy_loop(read[b, p, t], int(cut.values[b, p, 0, t]))
        for b, p, _, t in cut.observed.nonzero().tolist()
    ]
    assert len(each) == 21
    torch.testing.assert_close(float(content.loss(read, cut)), sum(each) / len(each))
    nothing = Patches(cut.values, cut.observed & False)
    assert content.loss(read, nothing) == 0
    guesses = content.guesses(read)
    assert guesses.shape == cut.values.shape
    for b, p, c, t in cut.observed.nonzero().tolist():
        assert float(guesses[b, p, c, t]) == int(read[b, p, t].argmax())


def test_a_head_says_what_its_encoder_reads():
    symbols = PatchHead(network(), 2, seed=1).double()
    tokens, cut = numbers(3, 4, 5), patches_of(text(), 2)
    assert symbols(tokens).shape == (3, 4, 2, V)
    torch.testing.assert_close(
        symbols.loss(tokens, cut), symbols.content.loss(symbols(tokens), cut)
    )
    values = PatchHead(Dilated(channels=2, dim=5), 3, seed=1).double()
    wanted = Patches(numbers(3, 4, 2, 3), numbers(3, 4, 2, 3) > 0)
    made = values(tokens)
    errors = ((made - wanted.values) ** 2)[wanted.observed]
    torch.testing.assert_close(values.loss(tokens, wanted), errors.mean())
    assert torch.equal(values.content.guesses(made), made)


def test_patches_are_standardised_over_what_was_observed():
    cut = Patches(5 * numbers(2, 3, 2, 4) + 7, numbers(2, 3, 2, 4) > -0.5)
    cut.observed[0, 0] = False
    cut.observed[0, 1] = torch.arange(8).view(2, 4) == 3  # a single value
    made = standard_patches(cut)
    assert made.values[0, :2].abs().max() == 0
    for b, p in ((0, 2), (1, 0), (1, 1), (1, 2)):
        seen = cut.values[b, p][cut.observed[b, p]]
        centred = seen - seen.mean()
        wanted = centred / (centred.square().mean() + 1e-6).sqrt()
        torch.testing.assert_close(made.values[b, p][cut.observed[b, p]], wanted)
    garbage = Patches(cut.values.where(cut.observed, 1e6), cut.observed)
    assert torch.equal(standard_patches(garbage).values, made.values)


def test_the_words_of_a_text_are_its_vocabulary_and_those_of_values_are_fitted():
    words, cut = words_of(network(), patch=2, codes=9), patches_of(text(), 2)
    assert isinstance(words, Vocabulary) and words.width == 2 * V and not words.state_dict()
    selected = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 1]]).bool()
    said = numbers(3, 4, 2 * V)
    each = [
        cross_entropy_loop(said.view(3, 4, 2, V)[b, p, t], int(cut.values[b, p, 0, t]))
        for b, p, _, t in cut.observed.nonzero().tolist()
        if selected[b, p]
    ]
    torch.testing.assert_close(float(words.loss(said, cut, selected)), sum(each) / len(each))
    codes = words_of(Dilated(channels=2), patch=2, codes=9)
    assert isinstance(codes, Codebook) and codes.width == 9


def test_content_is_that_of_the_encoder_and_symbols_cannot_be_normalised():
    assert content_of(Dilated(channels=3), 2) == PatchValues(channels=3, size=2)
    assert content_of(network(), 2) == PatchSymbols(symbols=V, size=2)
    text = "got normalise=True for symbols, which have no mean and no deviation: leave it out"
    with pytest.raises(ValueError, match=re.escape(text)):
        content_of(network(), 2, normalised=True)
