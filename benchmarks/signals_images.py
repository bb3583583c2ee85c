"""Pictures: MAE on MNIST's 10,000 and on the 8 x 8 digits, frozen, fine-tuned, and beside rows."""

import torch

import selftime as st
from benchmarks.open_data import root
from benchmarks.signals_common import Figures, Learned, accuracies, learn, show
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.builders import build_encoder
from selftime.engine.solve import generator
from selftime.objectives.mae import MAE

STEPS = {"MNIST": 4000, "digits": 4000}
"""Chosen on the training part, so that learning ends within ten minutes on two cores."""


def parts(name: str) -> tuple[SeriesSet, SeriesSet]:
    """The part that is learned from, and the one that is judged: 4 to 1, in the order of files."""
    files = {"MNIST": "mnist_t10k-images-idx3-ubyte.gz", "digits": "digits.csv.gz"}
    whole = st.read(root() / "modalities" / "images" / files[name], kind="images")
    cut = len(whole) * 4 // 5
    return whole[:cut], whole[cut:]


def mae(series: SeriesSet, name: str, seed: int) -> Learned:
    """A masked autoencoder that has learned from pictures."""
    encoder = build_encoder(
        "vit_tiny", kind=series.kind, channels=series.n_channels, length=49, seed=seed
    )
    objective = MAE(encoder=encoder, patch=1, seed=seed)
    return learn(objective, series, STEPS[name], seed=seed)


@torch.inference_mode()
def reconstruction(learned: Learned, series: SeriesSet, test: SeriesSet) -> Figures:
    """Squared errors at hidden pixels of test pictures, from 0 to 1, beside mean patches."""
    batch = learned.scale.apply(batch_of(test))
    guess = learned.objective.guess(batch, generator(0, 0))
    units = float(learned.scale.sd[0]) ** 2
    whole, hidden = guess.whole.values, guess.hidden
    mean = learned.scale.apply(batch_of(series)).values.mean(dim=0, keepdim=True)  # (1,C,T)
    own = (whole * ~hidden).sum(dim=2, keepdim=True) / (~hidden).sum(dim=2, keepdim=True)

    def error(made: torch.Tensor) -> float:
        return round(units * float(((made - whole) ** 2)[hidden].mean()), 5)

    return {
        "mae": error(guess.made),
        "mean patch of its place": error(mean.expand_as(whole)),
        "mean of the patches that are seen": error(own.expand_as(whole)),
    }


def measured(name: str, *, seed: int, draws: int) -> Figures:
    """All figures of a set of pictures."""
    train, test = parts(name)
    learned = mae(train, name, seed)
    closed = st.pretrain(train, objective="spectral", seed=seed, progress=False)
    models = {"selftime": learned.model, "spectral over patches": closed}
    shots = (1, 5, 20, "all")
    strategies = ("full",)
    found = st.compare(models, train, test, labels_per_class=shots, draws=draws, progress=False)
    few = st.compare(
        learned.model, train, test, labels_per_class=(20,), draws=draws, strategies=strategies,
        progress=False,
    )  # fmt: skip
    figures = {
        "seconds": round(learned.seconds, 1),
        "accuracy": accuracies(found),
        "fine-tuned": accuracies(few),
        "squared error": reconstruction(learned, train, test),
    }
    show(f"{name}: frozen, {learned.seconds:.0f} s of learning", figures["accuracy"])
    show(f"{name}: fine-tuned", figures["fine-tuned"])
    print("  squared error at hidden pixels:", figures["squared error"], flush=True)
    return figures
