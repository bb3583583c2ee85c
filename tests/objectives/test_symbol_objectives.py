"""Objectives on texts: symbols stay whole, words are the vocabulary, chance costs its logarithm."""

import math

import pytest
import torch
from torch import Generator, nn
from toy_batches import before_and_after

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import SymbolEmbedder
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.embedded import Embedded
from selftime.objectives.arrow_of_time import ArrowOfTime
from selftime.objectives.base import Objective
from selftime.objectives.bert import BERT, corrupted, segments, series_of
from selftime.objectives.cpc import CPC
from selftime.objectives.forecast import Forecast
from selftime.objectives.mae import MAE
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.masked_values import MaskedValues
from selftime.objectives.next_step import NextStep
from selftime.objectives.patches import patches_of
from selftime.objectives.right_order import RightOrder
from selftime.objectives.segment_order import SegmentOrder
from selftime.objectives.timemae import TimeMAE
from selftime.objectives.tnc import TNC
from selftime.objectives.ts2vec import TS2Vec

V = 7


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def text(series: int = 6, steps: int = 20) -> Batch:
    """Symbols that follow from the one before, ragged, with a gap; garbage elsewhere."""
    begin = torch.arange(series)[:, None, None]
    values = (begin + 3 * torch.arange(steps)).remainder(V).float()
    lengths = torch.tensor([steps - 3 * (b % 3) for b in range(series)])
    observed = (torch.arange(steps) < lengths[:, None])[:, None].clone()
    observed[1, 0, 5] = False
    return Batch(values.where(observed, -1e6), observed)


def attention() -> Encoder:
    embedder = SymbolEmbedder(symbols=V, length=20, dim=16, seed=1)
    return Transformer(embedder=embedder, depth=1, heads=2, seed=1)


def convolutions(*, causal: bool = True) -> Encoder:
    embedder = SymbolEmbedder(symbols=V, length=20, dim=16, seed=1)
    network = Dilated(channels=16, hidden=8, depth=3, dim=16, causal=causal, seed=1)
    return Embedded(embedder=embedder, encoder=network)


SPEAK: dict[str, tuple[Objective, str]] = {
    "masked_values": (MaskedValues(encoder=attention()), "head.map"),
    "masked_patches": (MaskedPatches(encoder=attention(), patch=2), "head.map"),
    "mae": (MAE(encoder=attention(), patch=1), "decoder.out"),
    "next_step": (NextStep(encoder=convolutions(), frame=2), "head.map"),
    "forecast": (Forecast(encoder=convolutions(), horizon=3), "head.map"),
}
"""Objectives that say which symbols there are, and the map that says it."""


@pytest.mark.parametrize("name", SPEAK)
def test_without_a_clue_a_symbol_costs_the_logarithm_of_the_vocabulary(name):
    objective, said = SPEAK[name]
    for weight in objective.get_submodule(said).parameters():
        nn.init.zeros_(weight)
    step = objective(text(), seeded())
    assert float(step.loss.detach()) == pytest.approx(math.log(V), rel=1e-5)


def test_of_bert_and_timemae_the_codes_are_symbols():
    bert, timemae = BERT(encoder=attention(), patch=2), TimeMAE(encoder=attention(), patch=1)
    for objective in (bert, timemae):
        objective.prepare(text(), seeded())
        assert "codebook.centres" not in objective.state_dict()
        for weight in objective.word.parameters():
            nn.init.zeros_(weight)
        codes = float(objective(text(), seeded()).parts["codes"])
        assert codes == pytest.approx(math.log(V), rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_a_foreign_continuation_is_made_of_symbols_as_they_are(seed):
    x = text()
    both = segments(x, 2, seeded(seed), series_of)
    said = both.joined.values[both.joined.observed]
    assert torch.equal(said, said.round()) and said.min() >= 0 and said.max() < V
    foreign = 0
    for b in (~both.follows).nonzero()[:, 0].tolist():
        a, end = int(both.start[b]) * 2, int(both.joined.lengths[b])
        got = both.joined.values[b, 0, a:end]
        others = [
            x.values[j, 0, int(both.start[j]) * 2 : int(x.lengths[j])]
            for j in range(len(x.values))
            if j != b
        ]
        assert any(len(other) == len(got) and torch.equal(other, got) for other in others)
        foreign += 1
    assert foreign or both.follows.all()


def test_a_replaced_symbol_is_one_of_the_batch():
    x = text(series=40)
    made = corrupted(x, patches_of(x, 1).observed.flatten(2).any(dim=2), 1, seeded())
    said = made.values[made.observed]
    assert torch.equal(said, said.round()) and said.min() >= 0 and said.max() < V
    assert (made.values != x.values)[made.observed].any()


ORDER: dict[str, Objective] = {
    "arrow_of_time": ArrowOfTime(encoder=convolutions()),
    "right_order": RightOrder(encoder=convolutions()),
    "segment_order": SegmentOrder(encoder=convolutions()),
    "next_step": NextStep(encoder=convolutions()),
    "forecast": Forecast(encoder=convolutions()),
    "cpc": CPC(encoder=convolutions()),
    "tnc": TNC(encoder=convolutions()),
    "ts2vec": TS2Vec(encoder=convolutions()),
    "bert": BERT(encoder=attention(), patch=1),
}


@pytest.mark.parametrize("name", ORDER)
def test_what_an_encoder_is_shown_are_whole_symbols(name):
    """Crops, pieces, reversals and replacements: nothing between two symbols."""
    shown: list[Batch] = []
    embedder = ORDER[name].encoder.embedder
    look_up = embedder.tokens_at
    embedder.tokens_at = lambda x, places: shown.append(x) or look_up(x, places)
    ORDER[name](text(), seeded())
    del embedder.tokens_at
    assert shown
    for x in shown:
        said = x.values[x.observed]
        assert torch.equal(said, said.round()) and said.min() >= 0 and said.max() < V


@pytest.mark.late
@pytest.mark.parametrize("way", ["masked_patches", "next_step"])
def test_symbols_that_follow_from_others_are_learned(way):
    makes = {
        "masked_patches": lambda: MaskedPatches(encoder=attention(), patch=1),
        "next_step": lambda: NextStep(encoder=convolutions(), frame=1),
    }
    values = (torch.arange(12)[:, None, None] + 3 * torch.arange(24)).remainder(V).float()
    x = Batch(values, torch.ones_like(values, dtype=torch.bool))
    before, after = before_and_after(makes[way](), x, steps=40)
    assert after < 0.7 * before
