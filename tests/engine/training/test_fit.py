"""The training loop: what is told and saved when, a safe stop, and the same bits after it."""

import os
import signal
import threading

import pytest
import torch
from training_material import assert_same_state, followed, training_of, waves

from selftime.data.windows import batch_of
from selftime.engine.monitoring.monitors import CollapseMonitor, CollapseWarning, Readings
from selftime.engine.solve import generator
from selftime.engine.training import checkpoint
from selftime.engine.training.loop import READ_EVERY, Collapsed, Saver, Stopped, run_training
from selftime.engine.training.trainer import Diverged

BOTH = pytest.mark.parametrize("name", ["ts2vec", "simclr"])
SIGNALS = pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])


class Scripted(CollapseMonitor):
    """Says what it was told to say; remembers when it was asked and in which mode."""

    def __init__(self, warnings=None):
        super().__init__(batch_of(waves(4)), generator(0, 0))
        self.warnings, self.asked = warnings or {}, []

    def read(self, encoder, step):
        self.asked.append((step, encoder.training))
        return Readings(
            {"std": step / 100}, [CollapseWarning("std", m) for m in self.warnings_at(step)]
        )

    def warnings_at(self, step):
        return [self.warnings[step]] if step in self.warnings else []


def saved_steps(folder):
    return [
        int(path.name.removeprefix("step-")) for path in checkpoint.complete_checkpoints(folder)
    ]


def signalled_at(step, signum):
    """A log that sends this process a signal while a step is reported."""

    def log(record):
        if record["step"] == step:
            os.kill(os.getpid(), signum)

    return log


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("name, signum", [("ts2vec", signal.SIGTERM), ("simclr", signal.SIGINT)])
def test_a_signal_stops_after_the_step_in_flight_and_the_run_goes_on_to_the_same_bits(
    name, signum, tmp_path
):
    straight = training_of(name)
    run_training(straight)
    first, before = training_of(name), signal.getsignal(signum)
    with pytest.raises(Stopped) as caught:
        run_training(
            first,
            callbacks=[signalled_at(5, signum)],
            checkpoints=tmp_path,
            how_to_resume="say it again",
        )
    assert str(caught.value) == "stopped after step 5 of 12, which is saved; say it again"
    assert caught.value.signum == signum
    assert signal.getsignal(signum) == before
    assert saved_steps(tmp_path)[-1] == first.step == 5
    second = training_of(name)
    run_training(second, state=checkpoint.newest_checkpoint(tmp_path), checkpoints=tmp_path)
    assert_same_state(second.state(), straight.state())
    assert_same_state(checkpoint.newest_checkpoint(tmp_path), straight.state())


@SIGNALS
def test_without_a_folder_it_says_that_nothing_was_saved(signum):
    with pytest.raises(Stopped) as caught:
        run_training(training_of("simclr"), callbacks=[signalled_at(2, signum)])
    wanted = "stopped after step 2 of 12; nothing was saved: give run=folder"
    assert str(caught.value) == wanted


def test_stopped_in_a_run_by_the_clock_it_does_not_know_the_end():
    with pytest.raises(Stopped, match="^stopped after step 2; nothing was saved"):
        run_training(
            training_of("simclr", "30 minutes"), callbacks=[signalled_at(2, signal.SIGTERM)]
        )


def test_a_second_signal_ends_it_at_once(tmp_path):
    def log(record):
        if record["step"] == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    training = training_of("simclr")
    with pytest.raises(KeyboardInterrupt) as caught:
        run_training(training, callbacks=[log], checkpoints=tmp_path)
    assert not isinstance(caught.value, Stopped)
    assert max(saved_steps(tmp_path)) < 3


@pytest.mark.parametrize("moment", ["the last step", "the last save"])
def test_a_signal_at_the_very_end_is_not_lost(moment, tmp_path, monkeypatch):
    training, save = training_of("simclr", "3 steps"), Saver.save

    def slow_save(saver):
        save(saver)
        if saver.training.step == 3 and moment == "the last save":
            monkeypatch.setattr(Saver, "save", save)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Saver, "save", slow_save)
    logs = [signalled_at(3, signal.SIGTERM)] if moment == "the last step" else []
    with pytest.raises(Stopped, match="^stopped after step 3 of 3"):
        run_training(training, callbacks=logs, checkpoints=tmp_path)
    again = training_of("simclr", "3 steps")
    told, state = [], checkpoint.newest_checkpoint(tmp_path)
    run_training(again, state=state, callbacks=[told.append], checkpoints=tmp_path)
    assert told == []  # nothing was left to do
    assert_same_state(again.state(), training.state())


def test_in_another_thread_it_runs_as_well():
    training, found = training_of("simclr", "3 steps"), []

    def work():
        run_training(training)
        found.append(training.step)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [3]


def test_the_log_is_told_of_every_step():
    told = []
    run_training(training_of("ts2vec", "7 steps"), callbacks=[told.append])
    assert [record["step"] for record in told] == list(range(8))
    assert told[0] == {"step": 0, "steps": 7, "seconds": 0.0}
    for record in told[1:]:
        assert set(record) == {
            *("step", "steps", "seconds", "loss", "rate", "gradient_norm", "parts")
        }


def test_taken_up_the_log_goes_on_where_it_was(tmp_path):
    with pytest.raises(Stopped):
        run_training(
            training_of("simclr", "7 steps"),
            callbacks=[signalled_at(4, signal.SIGTERM)],
            checkpoints=tmp_path,
        )
    training, told = training_of("simclr", "7 steps"), []
    run_training(training, state=checkpoint.newest_checkpoint(tmp_path), callbacks=[told.append])
    assert [record["step"] for record in told] == [5, 6, 7]


@pytest.mark.parametrize(
    "budget, steps",
    [
        ("12 steps", [0, 10]),
        ("50 steps", [0, 10, 20, 30, 40, 50]),
        ("120 steps", [0, 10, 20, 30, 40, 50, 100, 120]),
        ("1300 steps", [0, 10, 20, 30, 40, 50, *range(65, 1301, 65)]),
    ],
)
def test_gauges_are_read_when_it_is_time(budget, steps, monkeypatch):
    training, monitor, told = followed(budget), Scripted(), []

    def pass_by():
        training.step += 1
        return {"step": training.step}

    monkeypatch.setattr(training, "advance", pass_by)  # what is read when, not what is learned
    run_training(training, monitor=monitor, callbacks=[told.append])
    assert monitor.asked == [(step, True) for step in steps]
    with_monitors = {r["step"]: r["monitors"] for r in told if "monitors" in r}
    assert with_monitors == {step: {"std": step / 100} for step in steps}
    assert not any("warnings" in record for record in told)
    assert READ_EVERY == 50


@pytest.mark.late
@pytest.mark.again
@BOTH
def test_watching_and_saving_change_nothing_that_is_learned(name, tmp_path):
    bare, full = training_of(name), training_of(name)
    run_training(bare)
    monitor = CollapseMonitor(batch_of(waves(6)), generator(0, 0))
    run_training(full, monitor=monitor, callbacks=[lambda record: None], checkpoints=tmp_path)
    assert_same_state(full.state(), bare.state())
    assert all(part.training for part in full.objective.modules())


def test_a_warning_is_passed_on_and_the_run_goes_on():
    told = []
    monitor = Scripted({10: "at step 10 std is 0: series become similar"})
    run_training(training_of("simclr"), monitor=monitor, callbacks=[told.append])
    assert told[-1]["step"] == 12
    warnings = {r["step"]: r["warnings"] for r in told if "warnings" in r}
    message = "at step 10 std is 0: series become similar"
    assert warnings == {10: [{"monitor": "std", "message": message}]}


def test_a_collapse_stops_the_run_where_that_is_wanted():
    told, monitor = [], Scripted({10: "std is 0: series become similar"})
    training = training_of("simclr", "30 steps", on_collapse="stop")
    with pytest.raises(Collapsed) as caught:
        run_training(training, monitor=monitor, callbacks=[told.append])
    assert str(caught.value) == "stopped at step 10: std is 0: series become similar"
    assert training.step == 10
    assert told[-1]["step"] == 10 and told[-1]["warnings"]  # the log knows why


def test_a_loss_that_is_no_number_is_not_saved(tmp_path):
    training = followed(explodes_at=4)
    with pytest.raises(Diverged, match="the loss is nan at step 4"):
        run_training(training, checkpoints=tmp_path)
    state = checkpoint.newest_checkpoint(tmp_path)
    assert state.facts["step"] < 4
    assert all(tensor.isfinite().all() for tensor in state.tensors.values())


def test_the_first_and_the_last_step_are_saved(tmp_path, monkeypatch):
    steps, save = [], checkpoint.save_checkpoint

    def spy(folder, state):
        steps.append(state.facts["step"])
        return save(folder, state)

    monkeypatch.setattr(checkpoint, "save_checkpoint", spy)
    run_training(training_of("simclr", "5 steps"), checkpoints=tmp_path)
    assert steps[0] == 1 and steps[-1] == 5
    assert saved_steps(tmp_path)[-1] == 5


def test_saving_takes_a_fiftieth_of_the_time(monkeypatch, tmp_path):
    now, saves = [1000.0], []

    def save(folder, state):
        saves.append(now[0])
        now[0] += 0.5  # seconds that a save takes

    monkeypatch.setattr(checkpoint, "save_checkpoint", save)
    monkeypatch.setattr("selftime.engine.training.loop.time.perf_counter", lambda: now[0])
    saver = Saver(followed(), tmp_path)
    for _ in range(1000):
        now[0] += 0.1  # a step
        saver.save_if_due()
    gaps = torch.tensor(saves).diff()
    assert saves[0] == pytest.approx(1000.1)
    assert gaps.min() >= 25.5 - 1e-6 and gaps.max() < 25.8
