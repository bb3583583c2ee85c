"""Texts guessed symbol by symbol: perplexity of a model, texts that it continues and fills in."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.signals import Text
from selftime.data.symbols import MISSING, decode, encode
from selftime.data.windows import Windows, batches, windows
from selftime.door import option
from selftime.encoders.wrappers.layered import network_of
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.solve import generator
from selftime.engine.symbol_head import Guessed, SymbolHead
from selftime.views.pairs import crop

_CONTEXT = 256
"""Symbols that are read at once where a model does not say how many it learned from."""
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """Number of symbols that a model hesitates between: 1 knows all, V knows nothing.

    Attributes:
        symbol: exp(loss), per symbol.
        character: the same per character, so that models of other vocabularies can be compared.
        loss: mean cross entropy of a symbol, in nats.
        symbols: that were guessed; the first of each text is given.
    """

    symbol: float
    character: float
    loss: float
    symbols: int


def perplexity(model: ModelOrFolder, x: Any) -> Perplexity:
    """Measure how well a model of texts guesses each next symbol of others.

    exp of the mean cross entropy (Jelinek et al. 1977; Bengio et al. 2003, section 4). Long texts
    are read in windows as long as those that the model learned from, each half over the one before,
    so that every guess but those at the beginning of a text knows half a window at least.

    Example:
        >>> import selftime as st
        >>> x = st.windows(st.sample("Text"), 40, stride=40).select(slice(90))
        >>> model = st.pretrain(x[:60], objective="next_step", budget="1 step")
        >>> found = st.perplexity(model, x[60:])
        >>> 1 < found.symbol < 2 * len(model.kind.vocabulary)
        True

    Args:
        model: learned by ``next_step`` from texts, or its folder.
        x: texts, whatever :func:`selftime.read` takes; best ones that it did not learn from.

    Raises:
        ValueError: a model that does not guess the next symbol, or texts of one symbol.
    """
    model = model_at(model)
    head = head_for(model, "next")
    texts = texts_for(model, x)
    cut = windows(texts, 2 * half_window(model), stride=half_window(model), pad=True)
    nats, count = 0.0, 0
    for x_cut, fresh in _parts(cut):
        logits = head(_tokens(model, x_cut))[:, :-1]
        losses = -logits.log_softmax(dim=2).gather(2, x_cut.values[:, 0, 1:, None].long())[:, :, 0]
        asked = x_cut.observed[:, 0, 1:] & fresh[:, 1:]
        nats += float(losses.double().masked_fill(~asked, 0).sum())
        count += int(asked.sum())
    if not count:
        raise ValueError("got texts of one symbol, wanted longer ones: the first is given")
    return Perplexity(
        symbol=math.exp(nats / count),
        character=math.exp(nats / max(characters_after_first(texts), 1)),
        loss=nats / count,
        symbols=count,
    )


def _parts(cut: Windows) -> Iterator[tuple[Batch, Bool[Tensor, "B T"]]]:
    """Yield windows, and True at steps that no window before covers; the first is never guessed."""
    same = np.concatenate([[False], cut.owners[1:] == cut.owners[:-1]])
    ends = np.concatenate([[0], (cut.firsts + cut.lengths)[:-1]])
    begins = torch.from_numpy(np.where(same, ends - cut.firsts, 1))
    for first in range(0, len(cut), _BATCH):
        x = cut.batch(slice(first, first + _BATCH))
        yield x, torch.arange(x.values.shape[2]) >= begins[first : first + _BATCH, None]


def characters_after_first(texts: SeriesSet) -> int:
    """Return the characters of all texts but those of the first symbol of each."""
    assert isinstance(texts.kind, Text)
    rows = [texts.series(i)[0] for i in range(len(texts))]
    return sum(len(decode(row, texts.kind)) - len(decode(row[:1], texts.kind)) for row in rows)


def continue_text(  # noqa: PLR0913 - a front door: each is one thing that people decide
    model: ModelOrFolder,
    text: str | Sequence[str],
    *,
    length: int = 200,
    temperature: float | int = 1.0,
    seed: int = 0,
) -> str | list[str]:
    """Let a model write on, symbol by symbol, each drawn from what it expects next.

    Example:
        >>> import selftime as st
        >>> x = st.windows(st.sample("Text"), 40, stride=40).select(slice(60))
        >>> model = st.pretrain(x, objective="next_step", budget="1 step")
        >>> len(st.continue_text(model, "The ", length=8, seed=3))
        12

    Args:
        model: learned by ``next_step`` from texts, or its folder.
        text: the beginning, or several.
        length: symbols that are added.
        temperature: divides the logits: below 1 likely symbols become likelier, 0 always takes the
            likeliest.
        seed: fixes what is drawn.

    Returns:
        Each beginning with what follows it; a list where several were given.

    Raises:
        ValueError: a model that does not guess the next symbol, a beginning without any symbol that
            it knows, or a length or temperature out of range.
    """
    model = model_at(model)
    kind = _text_kind(model)
    if length < 1 or not temperature >= 0:
        raise ValueError(
            f"got length={length} and temperature={temperature}, wanted at least 1 symbol, and 0 "
            "or more"
        )
    beginnings = [text] if isinstance(text, str) else list(text)
    prompts = [encode(beginning, kind) for beginning in beginnings]
    for beginning, prompt in zip(beginnings, prompts, strict=True):
        _check_known(beginning, prompt, kind)
    added = sample_next(model, prompts, length, float(temperature), generator(seed, 0))
    written = [start + decode(row, kind) for start, row in zip(beginnings, added, strict=True)]
    return written[0] if isinstance(text, str) else written


@torch.inference_mode()
def sample_next(
    model: Model,
    prompts: Sequence[np.ndarray],
    length: int,
    temperature: float | int,
    rng: Generator,
) -> Float[np.ndarray, "B S"]:
    """Return ``length`` symbols that follow each of some beginnings, which hold NaN for missing."""
    head, most = head_for(model, "next"), 2 * half_window(model)
    ends = torch.tensor([len(prompt) for prompt in prompts])
    values = torch.zeros(len(prompts), 1, int(ends.max()) + length)
    observed = torch.zeros_like(values, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        given = torch.from_numpy(np.asarray(prompt, np.float32))
        observed[row, 0, : len(given)] = given.isfinite()
        values[row, 0, : len(given)] = given.nan_to_num()
    rows = torch.arange(len(prompts))
    for step in range(length):
        now = ends + step
        seen = crop(Batch(values, observed), (now - most).clamp(min=0), now.clamp(max=most))
        logits = head(_tokens(model, seen))[rows, now.clamp(max=most) - 1]
        values[rows, 0, now] = draw_symbols(logits, temperature, rng).float()
        observed[rows, 0, now] = True
    places = ends[:, None] + torch.arange(length)
    return np.asarray(values[:, 0].gather(1, places))


def draw_symbols(
    logits: Float[Tensor, "B V"], temperature: float, rng: Generator
) -> Int64[Tensor, "B"]:
    """Draw a symbol for each row, the likeliest where the temperature is 0."""
    if temperature == 0:
        return logits.argmax(dim=1)
    shares = (logits.double() / temperature).softmax(dim=1)
    return torch.multinomial(shares, 1, generator=rng)[:, 0]


def fill_text(model: ModelOrFolder, text: str | Sequence[str]) -> str | list[str]:
    """Fill in missing symbols of texts, each with the likeliest in view of those around it.

    Example:
        >>> import selftime as st
        >>> x = st.windows(st.sample("Text"), 40, stride=40).select(slice(60))
        >>> model = st.pretrain(x, objective="bert", budget="1 step")
        >>> len(st.fill_text(model, "To be or n▁t to be"))
        18

    Args:
        model: learned by ``bert`` from texts, or its folder.
        text: one, or several, with ``▁`` where a symbol is missing; best no longer than those that
            the model learned from.

    Returns:
        Each text without gaps; a list where several were given.

    Raises:
        ValueError: a model that does not guess hidden symbols, or a text without any symbol that it
            knows.
    """
    model = model_at(model)
    head, kind = head_for(model, "hidden"), _text_kind(model)
    texts = [text] if isinstance(text, str) else list(text)
    gaps = [join_at_gaps([encode(part, kind) for part in one.split(MISSING)]) for one in texts]
    for one, symbols in zip(texts, gaps, strict=True):
        _check_known(one, symbols, kind)
    x = replace(SeriesSet.of([row[None] for row in gaps]), kind=kind)
    whole = list[str]()
    for batch in batches(x, size=_BATCH):
        likeliest = head(_tokens(model, batch)).argmax(dim=2)
        filled = torch.where(batch.observed[:, 0], batch.values[:, 0], likeliest.float()).numpy()
        rows = zip(filled, gaps[len(whole) : len(whole) + len(filled)], strict=True)
        whole += [decode(row[: len(own)], kind) for row, own in rows]
    return whole[0] if isinstance(text, str) else whole


def join_at_gaps(parts: Sequence[np.ndarray]) -> Float[np.ndarray, "T"]:
    """Return symbols of parts of a text side by side, NaN for one that is missing between them."""
    gap = np.array([np.nan], np.float32)
    between = [one for part in parts for one in (part, gap)]
    return np.concatenate(between[:-1])


def _check_known(text: str, symbols: np.ndarray, kind: Text) -> None:
    if not np.isfinite(symbols).any():
        raise ValueError(
            f"got {text[:40]!r}, wanted a text with at least one of the {len(kind.vocabulary)} "
            f"{kind.level} that the model knows"
        )


def head_for(model: Model, guessed: Guessed) -> SymbolHead:
    """Return the head of a model that guesses so; a ValueError says which objective makes one."""
    _text_kind(model)
    if model.head is None or model.head.guessed != guessed:
        wanted = "next_step" if guessed == "next" else "bert"
        has = "none" if model.head is None else f"one of {model.head.guessed} symbols"
        raise ValueError(
            f"got a model without a head that guesses {guessed} symbols (it has {has}): pretrain "
            f"it with {option('objective', wanted)}"
        )
    return model.head


def _text_kind(model: Model) -> Text:
    if not isinstance(model.kind, Text):
        raise ValueError(f"got a model of {model.kind.name}, wanted one of text")
    return model.kind


def texts_for(model: Model, x: Any) -> SeriesSet:
    """Return texts in the vocabulary of a model."""
    return model.check(x if isinstance(x, SeriesSet) else read(x, kind=model.kind))


def half_window(model: Model) -> int:
    """Return half of the symbols that a model learned from at once."""
    known = model.card.get("settings", {}).get("length", {}).get("value", _CONTEXT)
    return max((known if isinstance(known, int) else _CONTEXT) // 2, 1)


@torch.inference_mode()
def _tokens(model: Model, x: Batch) -> Float[Tensor, "B T D"]:
    tokens: Tensor = network_of(model.encoder)(model.scaling.apply(x))
    return tokens
