"""Kinds of records that a folder of a fitted estimator may hold, one line each."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.data.records import Kind, Kinds, fitted_kind, plain_kind
from selftime.encoders.registry import fill, rebuild, recipe_of
from selftime.engine.model import Model
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.objectives.base import Recipe
from selftime.objectives.supervised.heads import (
    NETWORK_HEADS,
    AllTokens,
    AttentionPool,
    name_of_head,
)
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import (
    Amount,
    AnyClasses,
    Future,
    OneClass,
    StepClasses,
    TargetType,
)
from selftime.tasks.forecasting.covariates import KnownEffect
from selftime.tasks.forecasting.features import Correction, ModelVectors, Patch, PatchFeatures
from selftime.tasks.forecasting.fitting import FittedSeries, ForecastConfig
from selftime.tasks.forecasting.forecasters import FittedForecaster, WindowForecaster
from selftime.tasks.forecasting.histories import SHORTEST
from selftime.tasks.forecasting.linear import LinearForecaster, LinearMap, Option, Pool
from selftime.tasks.forecasting.network import NetworkForecaster
from selftime.tasks.forecasting.shapes import TableShape
from selftime.tasks.forecasting.smoothing import Smoothing
from selftime.tasks.imputation.autoregression import Autoregression
from selftime.tasks.imputation.blend import Blend
from selftime.tasks.imputation.chains import MarkovChain
from selftime.tasks.imputation.experts import Alike, Experts
from selftime.tasks.imputation.fitting import FittedImputer, ImputeConfig
from selftime.tasks.imputation.holes import Holes
from selftime.tasks.imputation.units import Units
from selftime.tasks.imputation.vectors import VectorGuess
from selftime.tasks.probing.heads import SEMI, LabelsProbe, ValueProbe, make_head
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer.solution import FrozenSolution, TunedSolution, with_tokens

_TARGETS = (OneClass, StepClasses, AnyClasses, Amount, Future)
_HEADS = (Probe, ValueProbe, LabelsProbe, *SEMI.values())
_PLAIN = (
    *(TunedSolution, Budget, TrainingConfig, Recipe, NetworkForecaster),
    *(ForecastConfig, WindowForecaster, LinearForecaster, LinearMap, Option, Pool),
    *(Patch, PatchFeatures, TableShape, Smoothing),
    *(Autoregression, MarkovChain, Alike, Experts, Blend, Units, ImputeConfig, VectorGuess),
)


def tried(kind: Kind, use: Callable[[Any], Any]) -> Kind:
    """Return a kind whose records are used once when they are made: parts that do not fit fail."""

    def make(values: dict[str, Any]) -> Any:
        made = kind.make(values)
        use(made)
        return made

    return kind._replace(make=make)


def try_head(solution: FrozenSolution) -> None:
    """Predict the target of one vector of zeros."""
    encoder = solution.model.encoder
    width = with_tokens(encoder).dim if solution.target_type.by_step else encoder.dim
    solution.head.predict(np.zeros((1, width), np.float32))


def try_forecast(fitted: FittedSeries) -> None:
    """Forecast a history of zeros, and compare sizes."""
    Q, C, H = fitted.cases.offsets.shape
    config, given = fitted.config, len(fitted.config.covariates)
    if (len(config.levels), len(fitted.channels) - given, config.horizon) != (Q, C, H):
        raise ValueError(f"got quantiles of shape {(Q, C, H)} for other levels or channels")
    fitted.cases.predict([np.zeros((SHORTEST, C))])


def try_imputer(fitted: FittedImputer) -> None:
    """Fill a hole in series of zeros."""
    alike, C = fitted.experts.alike, len(fitted.channels)
    steps = np.zeros((alike.steps if alike else 3, C))
    seen = np.ones(steps.shape, bool)
    seen[1:2] = False
    fitted.fill(Holes.of(steps, seen, np.array([len(steps)])))


_KINDS: dict[str, Kind] = {
    **{kind.__name__: fitted_kind(kind) for kind in (*_TARGETS, *_HEADS)},
    **{kind.__name__: plain_kind(kind) for kind in _PLAIN},
    "FrozenSolution": tried(plain_kind(FrozenSolution), try_head),
    "FittedSeries": tried(plain_kind(FittedSeries), try_forecast),
    "FittedForecaster": plain_kind(FittedForecaster, unbounded=("floor",)),
    "FittedImputer": tried(plain_kind(FittedImputer, unbounded=("floor",)), try_imputer),
    "KnownEffect": tried(plain_kind(KnownEffect), lambda e: e.of(np.zeros((1, len(e.mean))))),
    "Correction": plain_kind(Correction, other={"features": PatchFeatures | ModelVectors})._replace(
        values=lambda c: {**vars(c), "features": c.features.__self__},
        make=lambda v: Correction(**{**v, "features": v["features"].of}),
    ),
    "ModelVectors": fitted_kind(ModelVectors),
    "StandardScaler": Kind(
        StandardScaler,
        {"mean_": Float[np.ndarray, "D"], "scale_": Float[np.ndarray, "D"], "n_features_in_": int},
        lambda values: _with_attributes(StandardScaler(), values),
    ),
    "Pipeline": Kind(
        Pipeline,
        {"scaler": StandardScaler, "head": Probe},
        lambda v: make_pipeline(v["scaler"], v["head"]),
        lambda whole: {"scaler": whole[0], "head": whole[1]},
    ),
    "KNeighborsClassifier": Kind(
        KNeighborsClassifier,
        {"n_neighbors": int, "vectors": Float[np.ndarray, "n D"], "labels": np.ndarray},
        lambda v: make_head("knn", None, neighbours=v["n_neighbors"]).fit(
            v["vectors"], v["labels"]
        ),
        lambda head: {
            "n_neighbors": head.n_neighbors,
            "vectors": head._fit_X,
            "labels": head.classes_[head._y],
        },
    ),
}


def kinds_with(model: Model | None) -> Kinds:
    """Return all kinds; records that use a model share the one that is kept beside them."""

    def values_of_network(network: Supervised) -> dict[str, Any]:
        shared = model is not None and network.encoder is model.encoder
        state = {name: t.numpy() for name, t in network.state_dict().items()}
        pool = {AttentionPool: "attention", AllTokens: "tokens"}.get(type(network.pool))
        return {
            "encoder": None if shared else recipe_of(network.encoder),
            "head": name_of_head(network.head),
            "pool": pool,
            "target_type": network.target_type,
            "state": {k: v for k, v in state.items() if not (shared and k.startswith("encoder."))},
        }

    fields = {
        "encoder": Any,
        "head": Literal[tuple(NETWORK_HEADS)],
        "pool": Literal["attention", "tokens"] | None,
        "target_type": TargetType,
        "state": Mapping[str, np.ndarray],
    }
    return _KINDS | {
        "Model": Kind(Model, {}, lambda _: model, lambda own: _same(own, model)),
        "Supervised": Kind(
            Supervised, fields, lambda v: _make_network(model, **v), values_of_network
        ),
    }


def _same(own: Model, model: Model | None) -> dict[str, Any]:
    if own is not model:
        raise ValueError("got two models in one estimator, wanted one")
    return {}


def _with_attributes(made: Any, values: Mapping[str, Any]) -> Any:
    vars(made).update(values)
    return made


_POOLS: dict[str | None, Callable[[int], AttentionPool | AllTokens | None]] = {
    "attention": lambda dim: AttentionPool(dim, seed=0),
    "tokens": lambda dim: AllTokens(),  # noqa: ARG005
    None: lambda dim: None,  # noqa: ARG005
}


def _make_network(
    model: Model | None,
    encoder: Any,
    head: str,
    pool: str | None,
    target_type: TargetType,
    state: Mapping[str, np.ndarray],
) -> Supervised:
    """Build a network; widths of its head are those of the tensors, which may be anything."""
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    if encoder is not None:
        own = {k[8:]: tensors.pop(k) for k in list(tensors) if k.startswith("encoder.")}
        body = rebuild(encoder, 1, own)
    elif model is not None:
        body = model.encoder
    else:
        raise ValueError("got a network without an encoder")
    of_head = [t for name, t in tensors.items() if name.startswith("head.") and t.ndim == 2]
    outer, inner = of_head[-1].shape
    if inner % body.dim or (inner != body.dim and pool != "tokens") or outer != target_type.size:
        raise ValueError(f"got a head of {inner} to {outer} numbers, wanted {body.dim} to a target")
    kept = {f"encoder.{name}": t for name, t in body.state_dict().items()}

    def make() -> Supervised:
        return Supervised(
            encoder=body,
            head=NETWORK_HEADS[head](inner, outer, seed=0),
            target_type=target_type,
            pool=_POOLS[pool](inner),
            learned=True,
        )

    return fill(make, kept | tensors).eval()
