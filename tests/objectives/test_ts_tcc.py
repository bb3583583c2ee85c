"""TS-TCC: both losses beside their equations, across views, and what its context may see."""

import re

import pytest
import torch
from test_cpc import equation_4
from torch import Generator
from toy_batches import padded, ragged, with_gap

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.losses import nt_xent
from selftime.objectives.ts_tcc import TSTCC, Context
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent, Pair, WeakStrong


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


STEADY = Independent(view=magnitude_warp)


def ts_tcc(*, pair: Pair = STEADY, width: int = 8, temperature: float = 0.2) -> TSTCC:
    encoder = Dilated(channels=2, hidden=6, depth=3, dim=8, seed=1)
    return TSTCC(encoder=encoder, pair=pair, width=width, temperature=temperature, seed=2).double()


@pytest.mark.parametrize("pair", [STEADY, WeakStrong()], ids=["steady", "default"])
def test_loss_equals_equations_1_to_6_across_views(pair: Pair) -> None:
    """The context of one view is matched with segments of the other, series by series."""
    x, objective = ragged((32, 24, 17, 9)), ts_tcc(pair=pair, temperature=0.3)
    step, rng = objective(x, seeded(3)), seeded(3)
    views = pair(x, rng)
    cut = objective.ahead(x, rng)
    contexts, latents = [], []
    with torch.no_grad():
        for view in views:
            own = []
            for i, p in enumerate(cut.past.tolist()):  # each series by itself, without padding
                alone = Batch(view.values[i : i + 1, :, :p], view.observed[i : i + 1, :, :p])
                tokens = objective.encoder(alone)
                own.append(objective.context(tokens, torch.ones(1, p, dtype=torch.bool)))
            contexts.append(torch.cat(own))
            latents.append(objective.encoder.embed(cut.after(view)).view(4, 4, -1))
        (c, d), (z, y) = contexts, latents
        W = objective.predict.weight
        valid = torch.ones(4, 4, dtype=torch.bool)
        temporal = equation_4(torch.einsum("kde,be->bkd", W, c), y, valid)
        temporal += equation_4(torch.einsum("kde,be->bkd", W, d), z, valid)
        contextual = nt_xent(objective.project(c), objective.project(d), 0.3)
    torch.testing.assert_close(step.parts["temporal"], torch.tensor(temporal).double())
    torch.testing.assert_close(step.parts["contextual"], contextual)
    torch.testing.assert_close(step.loss.detach(), 1.0 * temporal + 0.7 * contextual)


def test_a_context_is_that_of_its_tokens_in_any_order_and_of_no_others(rng: Generator) -> None:
    """Tokens carry no positions, and those that are not there are not seen."""
    context, tokens = Context(6, 8, seed=0).double(), torch.randn(3, 5, 6, generator=rng).double()
    valid = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]).bool()
    wanted = context(tokens, valid)
    torch.testing.assert_close(context(tokens.where(valid[:, :, None], 1e3), valid), wanted)
    torch.testing.assert_close(context(tokens[:1].flip(1), valid[:1]), wanted[:1])
    torch.testing.assert_close(context(tokens[1:2, :2], valid[1:2, :2]), wanted[1:2])
    assert not torch.isclose(context(tokens, valid | True)[1:], wanted[1:]).any()


def test_contexts_know_nothing_of_the_future() -> None:
    x, objective = ragged((24, 24, 17)), ts_tcc()
    rng = seeded(3)
    STEADY(x, rng)
    later = torch.arange(24) >= objective.ahead(x, rng).past[:, None, None]
    other = Batch(x.values.where(~later, x.values.flip(2)), x.observed)
    first, second = (objective(batch, seeded(3)) for batch in (x, other))
    torch.testing.assert_close(first.embeddings, second.embeddings, rtol=0, atol=0)
    assert torch.equal(first.parts["contextual"], second.parts["contextual"])
    assert not torch.isclose(first.parts["temporal"], second.parts["temporal"])


@pytest.mark.parametrize("seed", range(2))
def test_padding_and_what_stands_in_it_change_nothing(seed: int) -> None:
    x, objective = with_gap(ragged(), 4, 11), ts_tcc()
    wanted = objective(x, seeded(seed)).loss
    for other in (Batch(x.values.where(x.observed, -7e4), x.observed), padded(x, 13)):
        torch.testing.assert_close(objective(other, seeded(seed)).loss, wanted)


def test_equal_projections_of_all_series_cost_the_logarithm_of_all_others() -> None:
    """Collapse is penalised: 3 series, 3 candidates in time, 5 other contexts."""
    x, objective = ragged((32, 32, 32)), ts_tcc()
    same = Batch(x.values[:1].expand(3, -1, -1).clone(), x.observed)
    step = TSTCC(encoder=objective.encoder, pair=lambda x, rng: (x, x), width=8).double()(
        same, seeded()
    )
    three, five = torch.tensor([3.0, 5.0]).double().log()
    torch.testing.assert_close(step.parts["temporal"], 2 * three)
    torch.testing.assert_close(step.parts["contextual"], five)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("got temperature=0.0, wanted more than 0")):
        ts_tcc(temperature=0.0)
    for width in (0, 6):
        with pytest.raises(ValueError, match=f"got width={width}, wanted a multiple of 4"):
            ts_tcc(width=width)
    with pytest.raises(ValueError, match="got a batch of 1 series, wanted at least 2"):
        ts_tcc()(ragged((24,)), seeded())
