"""The front door on the command line; the work is done in its rooms."""

import signal

from selftime.cli import detecting as detecting
from selftime.cli import forecasting as forecasting
from selftime.cli import learn as learn
from selftime.cli import picking as picking
from selftime.cli import recall as recall
from selftime.cli import suggesting as suggesting
from selftime.cli import use as use
from selftime.cli import watch as watch
from selftime.cli.door import app
from selftime.cli.terminal import terminate

__all__ = ["app", "main"]


def main() -> None:
    """Run a command; SIGTERM ends it as cleanly as Ctrl-C does."""
    signal.signal(signal.SIGTERM, terminate)
    app()
