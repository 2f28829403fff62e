"""Signals are noted, a second Ctrl-C is not."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from twofold.training.interrupt import Interrupt, name_of


def test_signals_are_noted_and_handlers_put_back():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        assert interrupt.signal == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.signal == signal.SIGTERM
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_second_ctrl_c_leaves_at_once():
    with Interrupt() as interrupt, pytest.raises(KeyboardInterrupt):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupt.signal == signal.SIGINT


def test_other_threads_are_let_be():
    found = []
    thread = threading.Thread(target=lambda: found.append(Interrupt().__enter__().signal))
    thread.start()
    thread.join()
    assert found == [0]


def test_names():
    assert [name_of(n) for n in (signal.SIGINT, signal.SIGTERM)] == ["Ctrl-C", "SIGTERM"]
