"""The command line: verbs, overrides and sweeps, one line an error."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from errno import ENOSPC

from sintonia import __version__
from sintonia.cli.figures import as_json, report, say
from sintonia.cli.runs import figures_of, flags_of, run_sweep, speaking
from sintonia.core.config import VERBS
from sintonia.core.config.compose import compose
from sintonia.core.errors import SintoniaError, unknown

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Environment a run starts with unless it is set: nothing is reported home."""

INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes a shell gives for SIGINT and SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code of the command: 0, 1 when a check found something, the code of an error, or a signal's."""
    words = list(sys.argv[1:] if argv is None else argv)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        with speaking():
            _dispatch(words)
            sys.stdout.flush()
    except SintoniaError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        # The reader went away (`| head`); nothing may try to write to it again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:
        if error.filename is None and error.errno != ENOSPC:
            raise
        return _fail(f"{error.strerror}: '{error.filename or 'the disk'}'.", SintoniaError.exit_code)
    return 0


def _fail(message: str, code: int) -> int:
    sys.stderr.write(" ".join(message.splitlines()) + "\n")
    return code


def _dispatch(words: list[str]) -> None:
    """Run the command: a page of help, a completion, a configuration or a verb."""
    verb, rest = (words[0], words[1:]) if words else ("--help", [])
    if "--version" in words:
        return say(f"sintonia {__version__}")
    if verb in ("-sc", "--shell-completion"):
        from sintonia.cli.completion import complete

        return complete(rest)
    if verb in ("-h", "--help") or words == ["config"]:
        from sintonia.cli.manual import overview

        return say(overview())
    if verb not in (*VERBS, "config"):
        raise unknown("verb", verb, [*VERBS, "config"])
    if {"-h", "--help"} & set(rest):
        from sintonia.cli.manual import page

        return say(page(verb))
    if verb == "config":
        if rest[0] not in VERBS:
            raise unknown("verb", rest[0], VERBS)
        return _show(rest[0], flags_of(rest[0], rest[1:]))
    return _run(verb, rest)


def _show(verb: str, flags: Namespace) -> None:
    """Print the settings the verb would be run with."""
    import yaml

    settings = compose(verb, flags.overrides, flags.config_dir, partial=True)
    if settings.output == "json":
        return say(as_json(asdict(settings)))
    return say(yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True))


def _run(verb: str, words: list[str]) -> None:
    """Run the verb once, or a sweep of it, or show what it would be run with."""
    flags = flags_of(verb, words)
    if flags.shell_completion:
        from sintonia.cli.completion import complete

        return complete(flags.overrides)
    if flags.cfg:
        return _show(verb, flags)
    if flags.multirun:
        return run_sweep(verb, flags)
    settings = compose(verb, flags.overrides, flags.config_dir)
    return report(figures_of(verb, settings), settings.output)
