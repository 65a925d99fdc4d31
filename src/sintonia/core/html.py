"""What the project's HTML pages share: templates, a style sheet, and how figures are written for a reader."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def number(value: float, digits: int = 3, signed: bool = False) -> str:
    """Return a number with a true minus sign; what rounds to zero has no sign.

    Examples
    --------
    >>> number(0.0412, signed=True), number(-0.0412) == "\N{MINUS SIGN}0.041", number(-0.0001)
    ('+0.041', True, '0.000')
    """
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else f"{0:.{digits}f}"


def percent(value: float, digits: int = 0) -> str:
    """Return a share in per cent, with a narrow no-break space.

    Examples
    --------
    >>> percent(0.347).split(), percent(0.0081, 1).split()
    (['35', '%'], ['0.8', '%'])
    """
    return f"{100 * value:.{digits}f}\N{NARROW NO-BREAK SPACE}%"


def count(value: int) -> str:
    """Return a whole number with separated thousands."""
    return f"{value:,}"


def template(name: str, filters: Mapping[str, Callable[..., str]] | None = None) -> "Template":
    """Return a template of the package, with the filters every page has and those given.

    An undefined name in it is an error.
    """
    environment = _templates().overlay()
    environment.filters = {**environment.filters, **(filters or {})}
    return environment.get_template(name)


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("sintonia.core"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, percent=percent, count=count, zip=zip)
    return environment
