"""Checks on the values of settings, and their errors."""

from datetime import datetime

from sintonia.core.errors import ConfigError, unknown


def one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ConfigError with the nearest right name unless the value is one of the choices."""
    if value not in choices:
        raise unknown(what, value, choices)


def at_least(what: str, value: float, least: float) -> None:
    """Raise ConfigError for a value below the least that can work."""
    if value < least:
        raise ConfigError(f"{what}={value} is too small; give at least {least}.")


def iso_time(what: str, text: str) -> datetime:
    """Return an ISO date or time as a datetime without a zone, read as UTC.

    Examples
    --------
    >>> iso_time("source.until", "2017-10-22")
    datetime.datetime(2017, 10, 22, 0, 0)
    >>> iso_time("source.until", "22/10/2017")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.ConfigError: source.until='22/10/2017' is not a date; write it as 2026-01-31.
    """
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise ConfigError(f"{what}='{text}' is not a date; write it as 2026-01-31.") from None
