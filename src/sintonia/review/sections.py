"""Sections of the user's own on a review page: functions from the page's data to a title, paragraphs and a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from sintonia.core.errors import ConfigError
from sintonia.core.own_code import own_object

KEY = "sections"
Cell = str | int | float


@dataclass(frozen=True)
class Section:
    """A section at the end of a review page: paragraphs, and a table of `rows` under the names of its `columns`.

    Everything is text on the page: markup in it is shown, not followed.
    """

    title: str
    paragraphs: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()


def own_sections(references: Sequence[str], review: object) -> tuple[Section, ...]:
    """Return the section of each function that the setting `sections` names, in its order.

    Parameters
    ----------
    references
        `folder/file.py:name` or `module:name`, each a function from the review's data to a `Section`.
    review
        What the page shows: a `ReviewData`, of a policy a `PolicyReview`.

    Raises
    ------
    ConfigError
        When a reference names no function, the function fails, or it returns something else than a section whose rows
        have a cell for each column.
    InputError
        When there is no such file or module.
    """
    return tuple(_own_section(reference, review) for reference in references)


def _own_section(reference: str, review: object) -> Section:
    function = own_object(reference, KEY, "function", "my_section")
    try:
        section = function(review)
    except Exception as error:
        raise ConfigError(f"{KEY}: '{reference}' fails: {type(error).__name__}: {error}") from error
    if not isinstance(section, Section):
        raise ConfigError(
            f"{KEY}: '{reference}' returns {type(section).__name__}; return a sintonia.review.Section."
        )
    for row in section.rows:
        if len(row) != len(section.columns):
            raise ConfigError(
                f"{KEY}: '{reference}' has a row of {len(row)} cells under {len(section.columns)} columns; give each "
                "row a cell for every column."
            )
    return section
