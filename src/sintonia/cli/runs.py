"""One run composed, or many by Hydra itself: flags, configurations, jobs, and Hydra's errors in plain words.

A single run leaves no folders behind; sweeps, and whatever else bears a flag of Hydra, go through Hydra's own
machinery, so that its sweepers, launchers and plugins work.
"""

import io
import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING

from sintonia.cli.figures import Figures, Run, report, say, table
from sintonia.cli.overrides import for_hydra, quoted
from sintonia.config import Settings, conf_dir, settings
from sintonia.errors import ConfigError, InputError, SintoniaError, unknown

if TYPE_CHECKING:
    from omegaconf import DictConfig

logger = logging.getLogger("sintonia")

NO_HANDLERS = ("hydra/job_logging=none", "hydra/hydra_logging=none")
NO_FOLDERS = ("hydra.run.dir=.", "hydra.output_subdir=null")
"""Overrides that keep Hydra's log handlers away from ours, and its folders away from a single run."""


def flags_of(verb: str, words: list[str]) -> Namespace:
    """Return Hydra's flags and, under `overrides`, the other words, in any order."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return _hydra_parser().parse_intermixed_args(words)
    except SystemExit:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise ConfigError(f"{reason.capitalize()}; see `sintonia {verb} --help`.") from None


def _hydra_parser() -> ArgumentParser:
    from unittest.mock import patch

    from hydra._internal.utils import get_args_parser

    # Python 3.14 reads a flag's help as it is added; one of Hydra 1.3's is not a text (hydra issue 3121).
    with patch.object(ArgumentParser, "_check_help", lambda *_: None, create=True):
        return get_args_parser()


def composed(verb: str, flags: Namespace) -> "DictConfig":
    """Return the verb's configuration with the overrides, the user's own folder of options included.

    Raises
    ------
    ConfigError
        For what Hydra cannot read or find.
    InputError
        When `--config-dir` is no folder.
    """
    from hydra import compose, initialize_config_dir

    overrides = for_hydra(verb, flags.overrides)
    if flags.config_dir is not None:
        folder = Path(flags.config_dir).absolute()
        if not folder.is_dir():
            raise InputError(f"--config-dir {flags.config_dir} is no folder; looked for {folder}.")
        overrides.append(f"hydra.searchpath=[{quoted(f'file://{folder}')}]")
    with plain_errors(verb), initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose(verb, overrides)


@contextmanager
def plain_errors(verb: str) -> Iterator[None]:
    """Turn what Hydra and OmegaConf object to into one line in the user's words."""
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except MissingConfigException as error:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        raise unknown(group or "configuration", name, error.options or []) from None
    except OverrideParseException as error:
        word = error.override.lstrip("+")
        raise ConfigError(
            f"Cannot read '{word}'; quote special characters, \"key='a, b'\", or list [a,b]."
        ) from None
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        if reason.startswith("Ambiguous value"):
            reason = f"Several values are a sweep: write `sintonia {verb} -m ...`; a list is written [a,b]."
        raise ConfigError(reason) from None


def figures_of(verb: str, chosen: Settings) -> Figures:
    """Return what the verb gives for these settings."""
    from sintonia import pipelines

    figures: Figures = getattr(pipelines, verb)(chosen)
    return figures


@contextmanager
def speaking() -> Iterator[None]:
    """Let our log speak plainly on standard error meanwhile, and other packages' warnings be silent."""
    import warnings

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logger.handlers, level, logger.propagate = before
        logger.setLevel(level)


def through_hydra(verb: str, flags: Namespace) -> None:
    """Do by Hydra what the flags ask; a sweep ends with a table of what its runs gave.

    Raises
    ------
    SintoniaError
        For what Hydra cannot read or find, and the first that a run raised, when all runs are through.
    """
    from unittest.mock import patch

    from hydra._internal.utils import _run_hydra
    from hydra.version import setbase

    asked = (flags.run, flags.multirun, flags.cfg, flags.info, flags.shell_completion)
    if sum(map(bool, asked)) > 1 or (flags.resolve and not flags.cfg):
        raise ConfigError("Give one of --run, --multirun, --cfg and --info; --resolve goes with --cfg.")
    if not flags.shell_completion:
        leave = NO_HANDLERS if flags.multirun else NO_HANDLERS + NO_FOLDERS
        flags.overrides = [*leave, *for_hydra(verb, flags.overrides)]
    setbase("1.3")
    gave: list[Run] = []
    try:
        # Hydra's completion script bears the name of the program.
        with plain_errors(verb), patch.object(sys, "argv", ["sintonia"]):
            _run_hydra(flags, _hydra_parser(), _job(verb, gave), str(conf_dir()), verb)
    finally:
        if len(gave) > 1:
            say(table(gave))


def _job(verb: str, gave: list[Run]) -> Callable[["DictConfig"], Figures]:
    """Return the function Hydra calls for each run; it reports, and in text mode notes a row of the table."""

    def job(composed: "DictConfig") -> Figures:
        from hydra.core.hydra_config import HydraConfig

        words = [word.lstrip("+") for word in HydraConfig.get().overrides.task]
        chosen = settings(verb, composed)

        def note(figures: Figures) -> None:
            as_json = chosen.output == "json"
            gave.extend([] if as_json else [(words, figures)])
            report(figures | {"overrides": words} if as_json else figures, chosen.output)

        with speaking():
            logger.info("Run: %s", " ".join(words))
            try:
                figures = figures_of(verb, chosen)
            except SintoniaError as error:
                note({"error": str(error)})
                raise
            note(figures)
        return figures

    return job
