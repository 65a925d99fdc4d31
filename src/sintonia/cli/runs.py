"""One run, or the runs of a sweep: flags, settings and figures."""

import io
import logging
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from sintonia.cli.figures import Figures, Run, report, say, table
from sintonia.core.config import Settings
from sintonia.core.config.compose import compose, sweep
from sintonia.core.errors import ConfigError, SintoniaError

logger = logging.getLogger("sintonia")

INSTEAD = {
    "--run": "leave it out: one run is what a verb does",
    "--info": "write `sintonia config VERB ...`",
    "--hydra-help": "write `sintonia VERB --help`",
    "--config-path": "write --config-dir DIR",
    "--config-name": "write experiment=NAME, with --config-dir for one of your own",
    "--package": "leave it out",
    "--experimental-rerun": "give the same arguments again",
}
"""Flags of Hydra that earlier versions had after a verb, and their replacement."""


def flags_of(verb: str, words: list[str]) -> Namespace:
    """Return the flags and, under `overrides`, the other words, in any order.

    Raises
    ------
    ConfigError
        For a flag there is not, and for two that do not go together.
    """
    messages = io.StringIO()
    try:
        with redirect_stderr(messages):
            flags = _parser().parse_intermixed_args(words)
    except SystemExit:
        reason = messages.getvalue().strip().rpartition("error: ")[2]
        raise ConfigError(f"{reason.capitalize()}; see `sintonia {verb} --help`.") from None
    for flag, replacement in INSTEAD.items():
        if getattr(flags, flag.strip("-").replace("-", "_")) is not None:
            raise ConfigError(f"There is no {flag} any more; {replacement.replace('VERB', verb)}.")
    if flags.cfg and flags.multirun:
        raise ConfigError("Give one of --multirun and --cfg.")
    return flags


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="sintonia", add_help=False, allow_abbrev=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("-cd", "--config-dir")
    parser.add_argument("-c", "--cfg", choices=["job"])
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("-sc", "--shell-completion", action="store_true")
    short = {"--run": "-r", "--config-path": "-cp", "--config-name": "-cn", "--package": "-p", "--info": "-i"}
    for flag in INSTEAD:
        names = [name for name in (short.get(flag), flag) if name]
        parser.add_argument(*names, nargs="?", const="", help=SUPPRESS)
    return parser


def figures_of(verb: str, settings: Settings) -> Figures:
    """Return what the verb gives for these settings."""
    from sintonia.api.pipelines import run

    return run(verb, settings)


@contextmanager
def speaking() -> Iterator[None]:
    """Show our log as plain lines on standard error, and silence other packages' warnings."""
    import warnings

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    previous = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logger.handlers, level, logger.propagate = previous
        logger.setLevel(level)


def run_sweep(verb: str, flags: Namespace) -> None:
    """Run every combination of the values, one after another, and end with a table of what the runs gave.

    All are composed before the first runs, so that a wrong value costs no hours; a run that fails leaves the others
    alone.

    Raises
    ------
    SintoniaError
        For words that cannot be read or composed, and the first that a run raised, when all runs are through.
    """
    runs = [
        ([word.lstrip("+") for word in words], compose(verb, words, flags.config_dir))
        for words in sweep(verb, flags.overrides, flags.config_dir)
    ]
    rows: list[Run] = []
    first_error: Exception | None = None
    try:
        for words, settings in runs:
            logger.info("Run: %s", " ".join(words))
            try:
                _run_one(verb, settings, words, rows)
            except Exception as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
    finally:
        if len(rows) > 1:
            say(table(rows))


def _run_one(verb: str, settings: Settings, words: list[str], rows: list[Run]) -> None:
    """Run once and report it, with its words in JSON, as a row of the table in text."""
    failure: SintoniaError | None = None
    try:
        figures = figures_of(verb, settings)
    except SintoniaError as error:
        failure, figures = error, {"error": str(error)}
    if settings.output == "json":
        figures = figures | {"overrides": words}
    else:
        rows.append((words, figures))
    report(figures, settings.output)
    if failure is not None:
        raise failure
