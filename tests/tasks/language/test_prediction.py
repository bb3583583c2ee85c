"""Perplexity beside a plain loop, texts that are continued, hidden symbols, heads in folders."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from kind_toys import series_of

import selftime as st
from selftime.data import scaling
from selftime.data.signals import Text
from selftime.data.storage import with_checksum
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.embedders import SymbolEmbedder
from selftime.encoders.wrappers.embedded import Embedded
from selftime.encoders.wrappers.layered import network_of
from selftime.engine.model import Model, ModelError
from selftime.engine.symbol_head import SymbolHead
from selftime.objectives.base import Recipe
from selftime.tasks.language.prediction import draw_symbols, half_window

KIND = Text(vocabulary=tuple("abcd "))


def network(seed: int = 0) -> Embedded:
    embedder = SymbolEmbedder(symbols=5, length=12, dim=8, seed=seed)
    body = Dilated(channels=8, hidden=8, depth=3, dim=16, causal=True, seed=seed)
    return Embedded(embedder=embedder, encoder=body)


def untrained(guessed: str = "next", *, window: int = 12, scale: float = 1.0) -> Model:
    rng = torch.Generator().manual_seed(1)
    weight, bias = scale * torch.randn(5, 16, generator=rng), torch.zeros(5)
    card = {"settings": {"length": {"value": window, "reason": "given"}}}
    head = SymbolHead(guessed, weight, bias)
    return Model(network().eval(), scaling.none(), ("0",), card, kind=KIND, head=head)


def texts(*rows: str) -> st.SeriesSet:
    places = [np.array([[float("abcd ".index(letter)) for letter in row]]) for row in rows]
    return replace(st.SeriesSet.of(places), kind=KIND)


@pytest.fixture(scope="module")
def trained() -> Model:
    """It has read nothing but abcabcabc, from any letter on."""
    x = texts(*("abc"[k:] + "abc" * 12 for k in range(3) for _ in range(8)))
    config = st.TrainingConfig(recipe=Recipe(batch_size=16, rate=1e-2))
    budget = "60 steps"
    return st.pretrain(x, objective="next_step", encoder=network(), budget=budget, config=config)


def loss_by_loop(model: Model, row: str) -> list[float]:
    """Nats of every symbol but the first, each read from the windows that the docstring says."""
    half, losses, known = half_window(model), [], 1
    for begin in range(0, max(len(row) - 2 * half, 0) + half, half):
        part = row[begin : begin + 2 * half]
        if begin + len(part) <= known:
            continue
        batch = st.windows(texts(part), len(part)).batch()
        with torch.inference_mode():
            logits = model.head(network_of(model.encoder)(batch))[0].double()
        for place in range(max(known, begin + 1), begin + len(part)):
            chances = logits[place - begin - 1].softmax(dim=0)
            losses.append(-math.log(float(chances["abcd ".index(row[place])])))
        known = begin + len(part)
    return losses


@pytest.mark.parametrize("rows", [("abca dab",), ("ab", "abcd" * 9 + "ba", "dc" * 6, "a" * 19)])
def test_perplexity_equals_a_loop(rows):
    model = untrained()
    losses = [loss for row in rows for loss in loss_by_loop(model, row)]
    found = st.perplexity(model, texts(*rows))
    assert found.symbols == len(losses) == sum(len(row) - 1 for row in rows)
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert found.symbol == found.character == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)


def test_who_knows_nothing_hesitates_between_all_symbols():
    assert st.perplexity(untrained(scale=0.0), texts("abcd abcd")).symbol == pytest.approx(5)


def test_missing_symbols_are_not_asked_for():
    x = texts("abcd abc", "dcba")
    observed = np.ones((12, 1), bool)
    observed[[2, 3]] = False
    found = st.perplexity(untrained(), replace(x, observed=observed))
    assert found.symbols == 7 + 3 - 2


@pytest.mark.late
def test_what_was_learned_is_read_and_written(trained):
    assert trained.head.guessed == "next"
    assert st.perplexity(trained, texts("abcabcabcabc", "cabcabcab")).symbol < 1.2
    assert st.perplexity(trained, texts("acbacbacb")).symbol > 5
    assert st.continue_text(trained, "abca", length=8, temperature=0) == "abcabcabcabc"
    several = st.continue_text(trained, ["b", "abc"], length=5, temperature=0.1, seed=1)
    assert several == ["bcabca", "abcabcab"]


def test_a_seed_means_one_text_and_several_are_written_as_each_alone():
    model = untrained(scale=3.0)
    first, other = (st.continue_text(model, "ab", length=30, seed=seed) for seed in (1, 2))
    assert first == st.continue_text(model, "ab", length=30, seed=1) != other
    rows = ["abcd" * 5, "a", "d c"]
    together = st.continue_text(model, rows, length=9, temperature=0)
    assert together == [st.continue_text(model, row, length=9, temperature=0) for row in rows]


def test_temperature_flattens_and_sharpens():
    logits = torch.tensor([[2.0, 1.0, 0.0]]).expand(20_000, 3)
    for temperature in (0.5, 1.0, 2.0):
        drawn = draw_symbols(logits, temperature, torch.Generator().manual_seed(0))
        shares = torch.bincount(drawn, minlength=3) / len(drawn)
        torch.testing.assert_close(
            shares, (logits[0] / temperature).softmax(dim=0), atol=0.015, rtol=0
        )
    assert (draw_symbols(logits, 0.0, torch.Generator()) == 0).all()


def test_missing_symbols_are_filled_in_one_by_one_with_the_likeliest():
    model = untrained("hidden", scale=3.0)
    batch = st.windows(texts("abcd ab"), 7).batch()
    batch.observed[0, 0, [2, 5]] = False
    with torch.inference_mode():
        logits = model.head(network_of(model.encoder)(batch))[0]
    guesses = ["abcd "[int(k)] for k in logits.argmax(dim=1)]
    wanted = "ab" + guesses[2] + "d " + guesses[5] + "b"
    assert st.fill_text(model, "ab▁d ▁b") == wanted
    assert st.fill_text(model, ["ab▁d ▁b", "cd"]) == [wanted, "cd"]


def test_bert_learns_to_fill_in():
    x = series_of("text", 12)
    model = st.pretrain(x, objective="bert", encoder="gru", budget="2 steps")
    assert model.head.guessed == "hidden"
    filled = st.fill_text(model, "ab▁d")
    assert filled[:2] == "ab" and filled[3] == "d" and filled[2] in model.kind.vocabulary


@pytest.mark.late
def test_heads_come_back_from_folders_and_tuning_drops_them(trained, tmp_path):
    same = st.load(trained.save(tmp_path / "model"))
    assert same.head.guessed == "next" and torch.equal(same.head.weight, trained.head.weight)
    x = texts("abcabc", "cabcab")
    assert st.perplexity(tmp_path / "model", x) == st.perplexity(trained, x)
    fitted = st.Classifier(trained, strategy="full", budget="1 step").fit(x, ["a", "b"])
    assert fitted.solution_.model.head is None, "its tokens are others now"
    assert st.pretrain(series_of("images"), budget="1 step").head is None


@pytest.mark.parametrize("change", ["guessed", "shape", "kind"])
def test_damaged_heads_are_refused(change, tmp_path):
    model = untrained()
    if change == "shape":
        narrow = model.head.weight[:, :3].contiguous()
        model = replace(model, head=SymbolHead("next", narrow, model.head.bias))
    folder = model.save(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    if change == "guessed":
        config["head"] = "both"
    if change == "kind":
        config["kind"] = {"name": "wave", "rate": 8000}
    stored = with_checksum(config, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(stored))
    with pytest.raises(ModelError, match="the head (is not whole|has shape)"):
        st.load(folder)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: st.perplexity(untrained("hidden"), texts("ab")),
            "pretrain it with objective='nex",
        ),
        (
            lambda: st.fill_text(untrained(), "ab"),
            "without a head that guesses hidden symbols (it has one of next symbols): pretrain it "
            "with objective='bert'",
        ),
        (lambda: st.perplexity(untrained(), texts("a", "b")), "got texts of one symbol, wanted"),
        (
            lambda: st.continue_text(untrained(), "xyz"),
            "got 'xyz', wanted a text with at least one of the 5",
        ),
        (lambda: st.continue_text(untrained(), ""), "got '', wanted a text with at least one"),
        (lambda: st.continue_text(untrained(), "a", length=0), "got length=0 and temperature=1.0"),
        (lambda: st.continue_text(untrained(), "a", temperature=-1), "temperature=-1, wanted"),
        (
            lambda: st.perplexity(replace(untrained(), kind=series_of("wave", 2).kind), "x"),
            "got a model of wave, wanted one of text",
        ),
    ],
)
def test_errors_say_what_came_and_what_to_do(call, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        call()
