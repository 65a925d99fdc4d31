"""The exceptions: every message has what was requested, what was found and what to do.

The command line prints the message of a `SintoniaError` on one line and ends with its exit code; any other
exception is a defect of ours and keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class SintoniaError(Exception):
    """Base class of every error that a user can fix."""

    exit_code = 2


class ConfigError(SintoniaError):
    """A setting has the wrong name, type or value."""


class InputError(SintoniaError):
    """A file or folder is missing, unreadable, or has not the columns it should have."""


class NotEnoughDataError(SintoniaError):
    """There is too little data for the request; the message says what is missing."""


class NotBuiltError(SintoniaError):
    """A step was requested before one that it depends on; the message names the command to run first."""


class ErasureError(SintoniaError):
    """A file still contains an erased customer; the message names the file."""


class GateError(SintoniaError):
    """A model does not meet the requirements of a promotion; the message names each that it fails."""


class DriftError(SintoniaError):
    """A list or its model is further from the training than the settings allow; the message names every bound."""


class FoundError(SintoniaError):
    """A check worked and found something: not an error of the user's, but to be looked at before going on."""

    exit_code = 1


class UnsupportedModelError(SintoniaError):
    """A model file holds something this version cannot read."""


class UnsupportedFormatError(SintoniaError):
    """A workspace or its store was written by a newer version of sintonia."""


def hint(name: str, choices: Iterable[str]) -> str:
    """Return the end of an error message: the nearest right name, and what there is to choose from.

    Examples
    --------
    >>> hint("chrun", ["purchase", "churn"])
    "did you mean 'churn'? Choose churn, purchase."
    >>> hint("zzz", ["purchase", "churn"])
    'choose churn, purchase.'
    >>> hint("zzz", [])
    'there is nothing to choose from.'
    """
    listed = sorted(set(choices))
    if not listed:
        return "there is nothing to choose from."
    near = get_close_matches(name, listed, n=1, cutoff=0.5)
    shown = ", ".join(listed[:20]) + (f", ... ({len(listed)} in all)" if len(listed) > 20 else "")
    return f"did you mean '{near[0]}'? Choose {shown}." if near else f"choose {shown}."


def unknown(what: str, name: str, choices: Iterable[str]) -> ConfigError:
    """Return the error for a name that is not among the choices.

    Examples
    --------
    >>> str(unknown("task", "chrun", ["churn", "purchase"]))
    "Unknown task 'chrun'; did you mean 'churn'? Choose churn, purchase."
    """
    return ConfigError(f"Unknown {what} '{name}'; {hint(name, choices)}")
