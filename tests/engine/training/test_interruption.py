"""Signals during a run are taken note of; afterwards everything is as it was."""

import os
import signal
import threading

import pytest

from selftime.engine.training.loop import Stopped, interruptible

BOTH = pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])


def send(signum):
    os.kill(os.getpid(), signum)


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


@BOTH
def test_a_signal_is_taken_note_of(signum):
    with interruptible() as request:
        assert request.signum == 0
        send(signum)
        assert request.signum == signum


@BOTH
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait(first, signum):
    before = handlers()
    with pytest.raises(KeyboardInterrupt), interruptible() as request:
        send(first)
        send(signum)
    assert request.signum == first
    assert handlers() == before


def test_handlers_are_those_from_before_afterwards():
    told = []
    outer = signal.signal(signal.SIGTERM, lambda signum, frame: told.append(signum))
    try:
        before = handlers()
        with interruptible():
            assert before[0] != handlers()[0] and before[1] != handlers()[1]
        assert handlers() == before
        send(signal.SIGTERM)
        assert told == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, outer)


def test_handlers_come_back_after_an_error_too():
    before = handlers()
    with pytest.raises(RuntimeError, match="mine"), interruptible():
        raise RuntimeError("mine")
    assert handlers() == before


def test_a_handler_that_is_to_ignore_ignores_again():
    outer = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            pass
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, outer)


def test_one_run_within_another_hears_it_alone():
    with interruptible() as outer:
        with interruptible() as inner:
            send(signal.SIGTERM)
        assert (outer.signum, inner.signum) == (0, signal.SIGTERM)
        send(signal.SIGTERM)
        assert outer.signum == signal.SIGTERM


def test_in_another_thread_nothing_changes():
    before, found = handlers(), []

    def work():
        with interruptible() as request:
            found.append((request.signum, handlers()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(0, before)]
    assert handlers() == before


def test_being_stopped_says_by_which_signal():
    error = Stopped("stopped after step 3", signal.SIGTERM)
    assert str(error) == "stopped after step 3"
    assert error.signum == signal.SIGTERM
    assert isinstance(error, KeyboardInterrupt)  # nobody catches it by ``except Exception``
