"""Text: BERT on tiny Shakespeare, its last tenth held out; who speaks, from frozen vectors."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch

import selftime as st
from benchmarks.open_data import root
from benchmarks.signals_common import Figures, Learned, accuracies, learn, share, show
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.builders import embedder_for
from selftime.encoders.networks.transformer import Transformer
from selftime.engine.solve import generator
from selftime.objectives.base import Recipe
from selftime.objectives.bert import BERT, segments
from selftime.objectives.patches import patch_steps, trimmed
from selftime.views.masks import hidden

WINDOW, WIDTH = 128, 128
"""Symbols, and numbers a token: half as wide as `bert_mini`, for ten minutes on two cores."""
STEPS = 2400
RECIPE = Recipe(batch_size=32, rate=2e-3, weight_decay=0.01, warmup=0.1)
SPEAKERS, SHORTEST, LONGEST = 10, 60, 256


def path() -> Path:
    """The file of the text."""
    return root() / "modalities" / "text" / "tinyshakespeare.txt"


def parts() -> tuple[SeriesSet, SeriesSet]:
    """Windows of the first nine tenths of the text, which overlap by half, and of the rest."""
    whole = st.read(path(), kind="text")
    cut = len(whole.steps) * 9 // 10
    made = []
    for part, stride in ((whole.steps[:cut], WINDOW // 2), (whole.steps[cut:], WINDOW)):
        ends = np.array([0, len(part)])
        one = st.SeriesSet(part, ends, whole.channels, whole.ids, kind=whole.kind)
        made.append(st.windows(one, WINDOW, stride=stride).select())
    return made[0], made[1]


def bert(series: SeriesSet, seed: int) -> Learned:
    """A network that has learned from hidden symbols and from what follows."""
    table = embedder_for(series.kind, channels=1, length=WINDOW, dim=WIDTH, seed=seed)
    encoder = Transformer(embedder=table, depth=4, heads=4, seed=seed)
    objective = BERT(encoder=encoder, patch=1, between=True, seed=seed)
    objective.recipe = RECIPE
    return learn(objective, series, STEPS, seed=seed)


@torch.inference_mode()
def hidden_symbols(learned: Learned, train: SeriesSet, test: SeriesSet) -> Figures:
    """Accuracy on hidden symbols, beside guesses that know the true neighbours."""
    guess = learned.objective.guess(batch_of(test), generator(0, 0))
    truth, at = guess.whole.values[:, 0].long(), guess.hidden[:, 0]
    at[:, 0] = at[:, -1] = False  # both neighbours are known
    symbols = train.steps[:, 0].astype(np.int64)
    V = train.kind.symbols or 0
    counts = np.zeros((V, V, V), np.int64)  # before, after, between
    np.add.at(counts, (symbols[:-2], symbols[2:], symbols[1:-1]), 1)
    before, after = truth.roll(1, 1)[at].numpy(), truth.roll(-1, 1)[at].numpy()
    wanted = truth[at].numpy()
    return {
        "bert": share(guess.made[:, 0].long()[at].numpy() == wanted),
        "commonest symbol": share(counts.sum(axis=(0, 1)).argmax() == wanted),
        "by the symbol before": share(counts.sum(axis=1).argmax(axis=1)[before] == wanted),
        "by both neighbours": share(counts.argmax(axis=2)[before, after] == wanted),
    }


@torch.inference_mode()
def next_segments(learned: Learned, test: SeriesSet) -> list[float]:
    """Accuracy of telling the true second half of a window from that of another window."""
    objective = learned.objective
    both = segments(trimmed(batch_of(test)), 1, generator(0, 1), objective.bring)
    x = hidden(both.joined, ~patch_steps(both.apart, 1, both.joined.values.shape[2]))
    tokens = objective.encoder(x)  # a token a symbol, and a symbol a patch
    said = objective.judge(tokens, objective.encoder.pool(tokens, x), both.start) > 0
    return share((said == both.follows)[both.asked])


def speeches(like: SeriesSet) -> SeriesSet:
    """What the ten people say who say most, each speech cut to its beginning; labels are names."""
    text = path().read_text(encoding="utf8")
    found = re.findall(r"(?:^|\n\n)([A-Z][^\n:]{1,30}):\n(.*?)(?=\n\n|\Z)", text, re.S)
    said = [(name, speech) for name, speech in found if len(speech) >= SHORTEST]
    most = {name for name, _ in Counter(name for name, _ in said).most_common(SPEAKERS)}
    kept = [(name, speech[:LONGEST]) for name, speech in said if name in most]
    labels = np.array([name for name, _ in kept])
    return st.read([speech for _, speech in kept], kind=like.kind, labels=labels)


def measured(*, seed: int, draws: int) -> Figures:
    """All figures of the text."""
    train, test = parts()
    learned = bert(train, seed)
    lines = speeches(train)
    own, judged = st.hold_out(lines, 0.5, seed=seed)
    found = st.compare(
        learned.model, own, judged, labels_per_class=(5, 20, "all"), draws=draws, progress=False
    )
    figures = {
        "seconds": round(learned.seconds, 1),
        "hidden symbols": hidden_symbols(learned, train, test),
        "next segment": next_segments(learned, test),
        "who speaks": accuracies(found),
    }
    print(f"\nText: {learned.seconds:.0f} s of learning")
    print("  hidden symbols:", figures["hidden symbols"])
    print("  next segment:", figures["next segment"])
    show(f"Who of {SPEAKERS} speaks", figures["who speaks"])
    return figures
