"""Training steps of published code and ours, side by side; for `benchmarks.published_speed`.

Nothing of the authors' code is here: their classes are imported from checkouts, and a step calls
them in the order of their training loop.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.step_speed import batch_of_noise
from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.builders import patchtst_masked
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.pooled_cnn import PooledCNN
from selftime.encoders.networks.transformer import Transformer
from selftime.engine.solve import generator
from selftime.engine.training.optim import optimiser
from selftime.objectives.base import Objective
from selftime.objectives.cpc import Ahead
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.simmtm import SimMTM
from selftime.objectives.tf_c import TFC
from selftime.objectives.ts_tcc import TSTCC
from selftime.views.mild import Mild
from selftime.views.pairs import WeakStrong
from selftime.views.spectrum import Components, amplitudes

CPU = torch.device("cpu")


class Side(NamedTuple):
    """One step, and the weights it moves."""

    step: Callable[[], Any]
    weights: list[Tensor]


class Beside(NamedTuple):
    """A row: what is compared, the shape of the batch, both sides."""

    name: str
    shape: tuple[int, ...]
    theirs: Side
    ours: Side


def parts_of(folder: Path, *names: str) -> list[Any]:
    """Modules of a checkout, which leave no trace in ``sys``: all checkouts use the same names."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        return [importlib.import_module(name) for name in names]
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in set(sys.modules) - before if within(folder, name)]:
            del sys.modules[name]


def within(folder: Path, name: str) -> bool:
    """Whether a module was read from a folder; packages without ``__init__`` have paths alone."""
    module = sys.modules[name]
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
    return any(place.startswith(str(folder)) for place in places)


def ours(objective: Objective, x: Batch) -> Side:
    """Our step, as `pretrain` makes it."""
    objective.prepare(x, generator(0, 0))
    optimise, rng = optimiser(objective, objective.recipe), generator(0, 1)

    def step() -> None:
        optimise.zero_grad()
        objective(x, rng).loss.backward()
        optimise.step()
        objective.after_step(0.5)

    return Side(step, list(objective.parameters()))


def adam(config: Any, *modules: nn.Module) -> list[torch.optim.Adam]:
    """The optimisers of the authors of TS-TCC and TF-C."""
    betas = (config.beta1, config.beta2)
    return [torch.optim.Adam(m.parameters(), config.lr, betas, weight_decay=3e-4) for m in modules]


def ts_tcc(folder: Path) -> Iterator[Beside]:
    """Human activity: 128 series of 9 channels and 128 steps, 6 tokens of 8 steps predicted."""
    names = ("config_files.HAR_Configs", "models.model", "models.TC", "models.loss")
    configs, networks, contexts, losses = parts_of(folder, *names)
    config = configs.Config()
    x = batch_of_noise(config.batch_size, 9, 128)
    model, context = networks.base_Model(config).train(), contexts.TC(config, CPU).train()
    optimisers = adam(config, model, context)
    made = WeakStrong()(x, generator(0, 2))

    def step() -> None:
        for optimise in optimisers:
            optimise.zero_grad()
        first, second = (nn.functional.normalize(model(v.values)[1], dim=1) for v in made)
        (one, c), (other, d) = context(first, second), context(second, first)
        settings = config.Context_Cont
        contrast = losses.NTXentLoss(
            CPU, config.batch_size, settings.temperature, settings.use_cosine_similarity
        )
        loss = one + other + 0.7 * contrast(c, d)
        loss.item()
        loss.backward()
        for optimise in optimisers:
            optimise.step()

    theirs = Side(step, [*model.parameters(), *context.parameters()])
    for name, pair in {
        "ts_tcc": WeakStrong(),
        "ts_tcc, views made before": lambda x, rng: made,  # noqa: ARG005
    }.items():
        objective = TSTCC(
            encoder=PooledCNN(channels=9, hidden=32),
            pair=pair,
            ahead=Ahead(segments=6, share=8 / 128),
            width=config.TC.hidden_dim,
        )
        yield Beside(name, tuple(x.values.shape), theirs, ours(objective, x))


def patchtst(folder: Path) -> Iterator[Beside]:
    """ETTh1: 64 windows of 7 channels and 512 steps, patches of 12, 40 % hidden.

    Feed-forward parts are 256 wide as in the paper (A.1.4) and in ours; 512 in their script.
    """
    names = ("patchTST", "learner", "patch_mask", "transforms")
    homes = ("src.models", "src", "src.callback", "src.callback")
    places = [f"{home}.{name}" for home, name in zip(homes, names, strict=True)]
    networks, learners, masks, norms = parts_of(folder / "PatchTST_self_supervised", *places)
    x = batch_of_noise(64, 7, 512)
    patches = {"patch_len": 12, "stride": 12}
    model = networks.PatchTST(
        **{"c_in": 7, "target_dim": 96, "num_patch": 42, "d_ff": 256, "act": "relu", **patches},
        **{"dropout": 0.2, "head_dropout": 0.2, "head_type": "pretrain", "res_attention": False},
    )
    callbacks = [norms.RevInCB(7, denorm=False), masks.PatchMaskCB(mask_ratio=0.4, **patches)]
    learner = learners.Learner(None, model, nn.MSELoss(), lr=1e-4, cbs=callbacks)
    step = stepping(learner, x.values.transpose(1, 2).contiguous())
    objective = MaskedPatches(encoder=patchtst_masked(channels=7, length=512), patch=12)
    theirs = Side(step, [*model.parameters()])
    yield Beside("masked_patches", tuple(x.values.shape), theirs, ours(objective, x))


def stepping(learner: Any, values: Tensor) -> Callable[[], None]:
    """Training steps of the PatchTST authors' learner, within an epoch that never ends."""
    learner.model.train()
    with redirect_stdout(StringIO()):  # the head of its table of epochs
        for event in ("before_fit", "before_epoch", "before_epoch_train"):
            learner(event)

    def step() -> None:
        learner.batch = values, values
        learner.batch_train()

    return step


class Theirs(Encoder):
    """The convolutions of SimMTM's authors as an encoder of ours, on series of 178 steps."""

    stride = 18
    channels = 1
    dim = 128

    def __init__(self, *, model: Any) -> None:
        super().__init__()
        self.blocks = nn.Sequential(model.conv_block1, model.conv_block2, model.conv_block3)

    def forward(self, x: Batch) -> Tensor:
        """Tokens (B,10,128)."""
        tokens: Tensor = self.blocks(x.values)
        return tokens.transpose(1, 2)


STRIDED: dict[str, int] = {}
DENSE = {"kernel_size": 8, "stride": 1, "CNNoutput_channel": 24}


def simmtm(folder: Path) -> Iterator[Beside]:
    """Sleep: 32 series of 178 steps and three masked versions of each.

    Their first convolution has 25 taps and reads every third step; the first row runs our objective
    on that very network. The second has the same layers on both sides, 8 taps at every step as in
    their settings for epilepsy, each side in its own code. In the third ours reads every step and
    theirs every third.
    """
    names = ("config_files.SleepEEG_Configs", "model", "utils.augmentations")
    configs, networks, masks = parts_of(folder / "SimMTM_Classification" / "code", *names)
    args = SimpleNamespace(training_mode="pre_train", temperature=0.2, positive_nums=3)
    x = batch_of_noise(32, 1, 178)

    def network(changes: dict[str, int]) -> tuple[Any, Any]:
        config = configs.Config()
        vars(config).update(changes)
        model = networks.TFC(config, args).train()
        model.head = nn.Linear(config.CNNoutput_channel * config.final_out_channels, 178)
        return model, config

    def theirs(changes: dict[str, int]) -> Side:
        model, config = network(changes)
        optimise = torch.optim.Adam(model.parameters(), 1e-4, (config.beta1, config.beta2))

        def step() -> None:
            optimise.zero_grad()
            masked, _ = masks.data_transform_masked4cl(x.values, 0.5, 3, 3)
            losses = model(torch.cat([x.values, masked]).float(), pretrain=True)
            losses[0].backward()
            optimise.step()
            for loss in losses:
                loss.item()

        return Side(step, [*model.parameters()])

    def row(name: str, changes: dict[str, int], encoder: Encoder) -> Beside:
        return Beside(name, (32, 1, 178), theirs(changes), ours(SimMTM(encoder=encoder), x))

    yield row("simmtm, their network on both sides", STRIDED, Theirs(model=network(STRIDED)[0]))
    yield row("simmtm, the same layers", DENSE, PooledCNN(channels=1, hidden=32))
    yield row("simmtm, ours at every step", STRIDED, PooledCNN(channels=1, hidden=32))


def tf_c(folder: Path) -> Iterator[Beside]:
    """Sleep: 128 series of 178 steps, each one token of a Transformer of two layers."""
    (configs,) = parts_of(folder / "code", "config_files.SleepEEG_Configs")
    networks, losses = parts_of(folder / "code" / "TFC", "model", "loss")
    config = configs.Config()
    x = batch_of_noise(config.batch_size, 1, 178)
    model = networks.TFC(config).train()
    (optimise,) = adam(config, model)
    spectra = torch.fft.fft(x.values).abs()
    seen = x.values, spectra
    changed = x.values + 2 * torch.randn_like(x.values), spectra * (torch.rand_like(spectra) > 0.1)

    def step() -> None:  # their loop leaves gradients where they are
        (h, z, f, g), (h_a, z_a, f_a, g_a) = model(*seen), model(*changed)
        settings = config.Context_Cont
        contrast = losses.NTXentLoss_poly(
            CPU, config.batch_size, settings.temperature, settings.use_cosine_similarity
        )
        within, across = contrast(h, h_a) + contrast(f, f_a), contrast(z, g)
        contrast(z, g_a), contrast(z_a, g), contrast(z_a, g_a)  # computed there, not in the loss
        loss = 0.2 * within + across
        loss.item()
        loss.backward()
        optimise.step()

    made, bent = Mild()(x, generator(0, 2)), Components()(amplitudes(x), generator(0, 3))
    for name, views in {
        "tf_c": (Mild(), Components()),
        "tf_c, views made before": (lambda x, rng: made, lambda x, rng: bent),  # noqa: ARG005
    }.items():
        embedder = PatchEmbedder(channels=1, length=178, patch=178, stride=178, dim=178)
        encoder = Transformer(embedder=embedder, positions="learned", depth=2, heads=1)
        mine = ours(TFC(encoder=encoder, view=views[0], perturb=views[1]), x)
        yield Beside(name, tuple(x.values.shape), Side(step, [*model.parameters()]), mine)


METHODS: dict[str, Callable[[Path], Iterator[Beside]]] = {
    "emadeldeen24+TS-TCC": ts_tcc,
    "yuqinie98+PatchTST": patchtst,
    "thuml+SimMTM": simmtm,
    "mims-harvard+TFC-pretraining": tf_c,
}
"""Checkouts, and the rows that need them."""
