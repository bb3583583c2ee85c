"""A gradient run between two of its steps: it can be advanced, saved and restored."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of, batches
from selftime.engine.monitoring.monitors import evaluating
from selftime.engine.solve import generator, sample_of
from selftime.engine.training.checkpoint import CheckpointError, State
from selftime.engine.training.config import Budget, Choice, TrainingConfig
from selftime.engine.training.layers import as_written, compile_layers, recompute_layers
from selftime.engine.training.optim import Average, optimiser, rate_at
from selftime.engine.training.precision import error_of_half, refusal
from selftime.engine.training.processes import accelerator_for, agree, check_shares
from selftime.engine.training.sharding import (
    gather_into,
    gather_whole,
    is_sharding_asked_for,
    part_like,
    sharded,
)
from selftime.objectives.base import Objective
from selftime.objectives.distributed import alone
from selftime.objectives.supervised.network import Supervised

StepRecord = dict[str, Any]
"""Values of one step by name: step, seconds, loss, parts, rate, gradient_norm."""
Callback = Callable[[StepRecord], None]
"""Called after every step with its record."""
PREPARED = 256
"""Most series that set what depends on the data but is not learned."""
RECENT = 5
"""Steps whose loss stays low where nothing is left to learn."""
FIRST_PROGRESS = 1e-4
"""Progress of the first step of a run by the clock: nobody knows yet how long a step takes."""


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Batches of ``count`` series, drawn without replacement, anew for every pass over them.

    All batches are full: a few series are left out of each pass, others in the next.
    """

    count: int
    batch_size: int
    seed: int

    @property
    def batches_a_pass(self) -> int:
        """Full batches in a pass over the series."""
        return max(self.count // self.batch_size, 1)

    def batch(self, number: int) -> Int64[np.ndarray, "B"]:
        """Return the rows of batch ``number``, counted over the whole run."""
        epoch, i = divmod(number, self.batches_a_pass)
        size = min(self.batch_size, self.count)
        return permutation(self.count, self.seed, epoch)[i * size : (i + 1) * size]


@lru_cache(maxsize=1)
def permutation(count: int, seed: int, epoch: int) -> Int64[np.ndarray, "N"]:
    """Return the order of the series in a pass over them."""
    return np.random.default_rng([seed, 2, epoch]).permutation(count)


class Diverged(ValueError):
    """A loss that is not finite."""


class Trainer:
    """Everything that changes while an objective is trained, and how one step changes it.

    A step depends on the state, the seed and its own number only, so a run that is restored from
    any of its states goes on as if it had never stopped, bit for bit on a CPU. Where this machine
    computes half precision wrongly, the run is in full precision, and ``refused`` says why; that
    depends on the first weights and batch alone, so a restored run comes to the same.
    """

    refused: Choice | None = None

    def __init__(  # noqa: PLR0913 - all that a run depends on
        self,
        objective: Objective | Supervised,
        series: SeriesSet,
        scaling: Scaling,
        budget: Budget,
        config: TrainingConfig,
        seed: int,
        *,
        targets: Tensor | None = None,
        held_out_loss: Callable[[], float] | None = None,
    ) -> None:
        """Prepare the objective, which is trained in place, and its optimiser.

        ``targets`` holds a row for each series, for an objective that learns from labels;
        ``held_out_loss`` is of other series, and the weights with the lowest are kept.
        """
        self.objective, self.series, self.scaling = objective, scaling.measure(series), scaling
        self.targets, self.held_out_loss = targets, held_out_loss
        self.budget, self.config, self.seed = budget, config, seed
        self.recipe = config.recipe or objective.recipe
        self.sampler = Sampler(count=len(series), batch_size=self.recipe.batch_size, seed=seed)
        self.steps_an_epoch = max(self.sampler.batches_a_pass // config.accumulate, 1)
        self.accelerator = accelerator_for(config)
        self.is_sharded = is_sharding_asked_for()
        with torch.no_grad():
            sample = batch_of(series, sample_of(len(series), seed, PREPARED))
            objective.prepare(scaling.apply(sample), generator(seed, 0))
        self._refuse_wrong_halves()
        count = min(self.sampler.batch_size, len(series))
        check_shares(config, count, self.accelerator.num_processes)
        self.trained, self.module, self.optimiser = self._prepare()
        self.weights = [w for w in self.trained.parameters() if w.requires_grad]
        self.average = Average(self.weights, self.recipe.averaging)
        self.step, self.seconds = 0, 0.0
        self.recent_losses: list[float] = []
        self.latest, self.lowest, self.best_step = math.inf, math.inf, 0
        self.best = dict[str, Any]()
        self._keep_best()

    def _prepare(self) -> tuple[Any, Any, Any]:
        """Return the module of the weights that are trained, the same to be called, the optimiser.

        The module is the objective itself, or its copy of which each process has a part.
        """
        objective, device = self.objective, self.accelerator.device
        trained = sharded(objective, device) if self.is_sharded else objective
        if self.config.gradient_checkpointing:
            recompute_layers(trained)
        if self.config.compile:
            compile_layers(trained, device)
        rates = objective.rates if isinstance(objective, Supervised) else None
        steps = optimiser(trained, self.recipe, rates)
        if self.is_sharded:
            return trained, trained, self.accelerator.prepare_optimizer(steps)
        return trained, *self.accelerator.prepare(trained, steps)

    @property
    def is_main_process(self) -> bool:
        """True in the process that monitors, logs and saves."""
        return bool(self.accelerator.is_main_process)

    @property
    def is_done(self) -> bool:
        """True where the budget is used up, or nothing is left to learn."""
        limit, recent = self.config.stop_below, self.recent_losses
        is_learned = limit is not None and len(recent) == RECENT and max(recent) <= limit
        return self.progress >= 1 or is_learned

    def _refuse_wrong_halves(self) -> None:
        """Go over to full precision where this machine computes half precision wrongly."""
        given = self.config.precision
        if given == "no":
            return
        encoder = self.objective.encoder.to(self.accelerator.device)
        error = error_of_half(encoder, self._batch(self.sampler.batch(0)), self.accelerator)
        self.refused = refusal(given, error)
        if self.refused:
            self.config = replace(self.config, precision="no")
            self.accelerator = accelerator_for(self.config)

    @property
    def progress(self) -> float:
        """Share of the budget that is used up."""
        return self.budget.progress(self.step, self.seconds, self.steps_an_epoch)

    @property
    def steps(self) -> int | None:
        """Steps in all; None where the clock decides."""
        return self.budget.steps(self.steps_an_epoch)

    def advance(self) -> StepRecord:
        """Take one step; a loss that is not finite raises :class:`Diverged`."""
        start = time.perf_counter()
        if self.steps is None:
            progress = min(max(self.progress, FIRST_PROGRESS), 1.0)
        else:
            progress = (self.step + 0.5) / self.steps  # its middle, so that no step has rate 0
        rate = rate_at(progress, self.recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["scale"]
        made = [self._gradients(part) for part in range(self.config.accumulate)]
        norm = self._clip()
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.average.add(self.weights)
        self.step += 1
        self._count_seconds(start)
        self.trained.after_step(min(self.progress, 1.0))
        loss = self._mean([loss for loss, _ in made])
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} at step {self.step}: lower the rate ({rate:g})")
        self.recent_losses = [*self.recent_losses, loss][-RECENT:]
        judged = self.step % self.config.judge_every == 0 or self.progress >= 1
        if judged:
            self._keep_best()
        return {
            "step": self.step,
            "steps": self.steps or 0,
            "seconds": round(self.seconds, 4),
            "loss": loss,
            "rate": rate,
            "gradient_norm": float(norm),
            "parts": {name: float(part) for name, part in made[-1][1].items()},
            **(self.held_out_record() if judged else {}),
        }

    def held_out_record(self) -> StepRecord:
        """Return the latest loss on held-out series by its name; nothing where there are none."""
        return {} if self.held_out_loss is None else {"held_out_loss": self.latest}

    def _gradients(self, part: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the gradients of one batch, and return its loss and the parts of it."""
        number = self.step * self.config.accumulate + part
        rows, device = self.sampler.batch(number), self.accelerator.device
        draws = number + 1
        divided: AbstractContextManager[None] = nullcontext()
        if self.is_loss_own:
            rank, world = self.accelerator.process_index, self.accelerator.num_processes
            rows, draws, divided = np.array_split(rows, world)[rank], draws * world + rank, alone()
        given = () if self.targets is None else (self.targets[torch.from_numpy(rows)].to(device),)
        with divided, self.accelerator.accumulate(self.module), self.accelerator.autocast():
            made = self.module(self._batch(rows), generator(self.seed, draws), *given)
            self.accelerator.backward(made.loss)
        return made.loss.detach(), made.parts

    @property
    def is_loss_own(self) -> bool:
        """True where each of several processes has the loss of its own share of a batch."""
        return self.config.negatives == "own" and self.accelerator.num_processes > 1

    def _mean(self, losses: list[Tensor]) -> float:
        """Return the mean loss of a step; over all processes where each has its own."""
        if self.is_loss_own:
            losses = [self.accelerator.reduce(loss, "mean") for loss in losses]
        return sum(float(loss) for loss in losses) / len(losses)

    def _count_seconds(self, start: float) -> None:
        """Add the time since; that of the first process where the clock ends a run of several."""
        self.seconds += time.perf_counter() - start
        if self.steps is None:
            self.seconds = self.agreed(self.seconds)

    def agreed(self, value: float) -> float:
        """Return what the first process has; every process must ask."""
        return agree(self.accelerator, value)

    def _batch(self, rows: Int64[np.ndarray, " B"]) -> Batch:
        """Return some of the series, scaled, on the device."""
        return self.scaling.apply(batch_of(self.series, rows)).to(self.accelerator.device)

    def _clip(self) -> Tensor:
        """Return the length of the gradient, and clip it afterwards if the config says so."""
        self.accelerator.unscale_gradients()
        gradients = [w.grad for w in self.weights if w.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.config.clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.weights, self.config.clip, norm)
        return gather_whole(norm)

    def state(self) -> State:
        """Return weights, averages and moments; step and seconds.

        Where weights are shared out, every process must ask.
        """
        tensors = {f"objective.{k}": t for k, t in self.trained.state_dict().items()}
        tensors |= {f"average.{i}": t for i, t in enumerate(self.average.weights)}
        for i, slots in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{name}": slot for name, slot in slots.items()}
        copies = {
            name: gather_whole(t).detach().to("cpu", copy=True) for name, t in tensors.items()
        }
        facts = {"step": self.step, "seconds": self.seconds, "averaged": self.average.steps}
        if self.best:
            copies |= {f"best.{k}": tensor.to("cpu", copy=True) for k, tensor in self.best.items()}
            facts |= {"lowest": self.lowest, "best step": self.best_step}
        return State(copies, facts | {"recent losses": self.recent_losses})

    def restore(self, state: State) -> None:
        """Go back to a state, which must be one of the same objective."""
        parts: dict[str, dict[str, Tensor]] = {"objective": {}, "average": {}, "optimiser": {}}
        for name, tensor in state.tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = tensor
        try:
            now = self.trained.state_dict()
            self.trained.load_state_dict(
                {k: part_like(t, now[k]) for k, t in parts["objective"].items()}
            )
            for i, weight in enumerate(self.average.weights):
                weight.copy_(part_like(parts["average"][str(i)], weight))
        except (KeyError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint is of another objective ({error})") from None
        weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimiser"].items():
            number, slot = int(name.partition(".")[0]), name.partition(".")[2]
            own = part_like(tensor.clone(), weights[number])  # the optimiser keeps it
            slots.setdefault(number, {})[slot] = own
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": slots, "param_groups": groups})
        self.step, self.seconds = state.facts["step"], state.facts["seconds"]
        self.average.steps = state.facts["averaged"]
        self.recent_losses = state.facts["recent losses"]
        if best := parts.get("best"):
            device = self.accelerator.device
            self.best = {name: tensor.to(device, copy=True) for name, tensor in best.items()}
            self.lowest, self.best_step = state.facts["lowest"], state.facts["best step"]

    def _keep_best(self) -> None:
        """Copy the weights if they do better than ever on what is held out."""
        if self.held_out_loss is None:
            return
        start = time.perf_counter()
        with self.as_whole() as objective, evaluating(objective):
            self.latest = self.held_out_loss()
            if not self.best or self.latest < self.lowest:
                self.lowest, self.best_step = self.latest, self.step
                self.best = deepcopy(objective.state_dict())
        self._count_seconds(start)

    @contextmanager
    def as_whole(self) -> Iterator[Objective | Supervised]:
        """The objective with all weights, for a while; where they are shared out, all must ask."""
        if self.is_sharded:
            gather_into(self.objective, self.trained)
            self.objective.to(self.accelerator.device)
        try:
            yield self.objective
        finally:
            if self.is_sharded:
                self.objective.to("cpu")

    @torch.no_grad()
    def finish(self) -> None:
        """Give the objective its final weights: the averages, or the best on what is held out."""
        for weight, mean in zip(self.weights, self.average.weights, strict=True):
            weight.copy_(mean)
        if self.is_sharded:
            gather_into(self.objective, self.trained)
        as_written(self.objective)
        if self.best:
            self.objective.load_state_dict(self.best)
        if self.accelerator.device.type != "cpu":  # there it looks through all objects for nothing
            self.accelerator.free_memory()
        self.objective.to("cpu").eval()


_MAX_HELD_OUT = 256
"""Most series on which a loss is measured: reading them stays cheap beside training."""


@torch.no_grad()
def loss_on(objective: Objective, series: SeriesSet, scaling: Scaling, seed: int) -> float:
    """Return the mean loss on series that are not learned from, always with the same draws.

    It is that of a copy of the objective, since some keep what they saw. A last batch of fewer
    than two series is left out where there are others.
    """
    judge, device = deepcopy(objective).eval(), next(objective.parameters()).device
    rows = sample_of(len(series), seed, _MAX_HELD_OUT)
    losses, counts = list[float](), list[int]()
    for part, batch in enumerate(batches(series, size=objective.recipe.batch_size, order=rows)):
        if len(batch.values) > 1 or not losses:
            made = judge(scaling.apply(batch).to(device), generator(seed, part))
            losses.append(float(made.loss))
            counts.append(len(batch.values))
    return float(np.average(losses, weights=counts))
