"""Ctrl-C ends a build even where a library swallows the exception."""

import os
import signal
import subprocess
import sys

import pytest

from wootzc.builder.jobs.events import BuildInterrupted, Noted, Progressed
from wootzc.cli.interrupts import Interrupts

STEP = Progressed(stage="teacher", step=1, steps=2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_swallowed_interrupt_is_raised_again_once(number: signal.Signals) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interrupts() as interrupts:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
            interrupts(Noted(message="a candidate"))
            with pytest.raises(KeyboardInterrupt):
                interrupts(STEP)
            interrupts(STEP)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_build_that_knows_is_not_told_again() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interrupts() as interrupts:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            interrupts(BuildInterrupted())
            interrupts(STEP)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        assert interrupts.exit_code == 130  # of the later
    finally:
        signal.signal(signal.SIGINT, before)


ENDING = """
import atexit
import wootzc.cli

def interrupted(**_):
    raise KeyboardInterrupt

atexit.register(print, "put away at leisure")
wootzc.cli.cli.main = interrupted
wootzc.cli.main()
"""


def test_after_an_interrupt_nothing_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
