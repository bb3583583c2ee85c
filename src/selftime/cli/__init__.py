"""The command line: one file a command, named as it is typed, over the public door and reports."""

from selftime.cli import advise as advise
from selftime.cli import backtest as backtest
from selftime.cli import classify as classify
from selftime.cli import cluster as cluster
from selftime.cli import compare as compare
from selftime.cli import demo as demo
from selftime.cli import detect as detect
from selftime.cli import embed as embed
from selftime.cli import export as export
from selftime.cli import forecast as forecast
from selftime.cli import impute as impute
from selftime.cli import index as index
from selftime.cli import inspect as inspect
from selftime.cli import methods as methods
from selftime.cli import pack as pack
from selftime.cli import pick as pick
from selftime.cli import predict as predict
from selftime.cli import pretrain as pretrain
from selftime.cli import race as race
from selftime.cli import report as report
from selftime.cli import search as search
from selftime.cli import serve as serve
from selftime.cli import states as states
from selftime.cli import studio as studio
from selftime.cli import suggest as suggest
from selftime.cli import watch as watch
from selftime.cli.app import app, main

__all__ = ["app", "main"]
