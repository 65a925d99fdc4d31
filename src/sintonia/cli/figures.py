"""The figures of a run on standard output: lines for people, JSON for programs, a table for a sweep."""

import json
import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from sintonia.core.errors import FoundError

Figures = dict[str, Any]
"""What a verb returns: figures under their names, and for people `say`, lines to print, and `row`, what the
run shows in the table of a sweep."""

FOR_PEOPLE = ("say", "row")

Run = tuple[list[str], Figures]
"""One run of a sweep: its overrides and its figures."""

MOST_COLUMNS = 8
"""How many figures the table of a sweep shows."""


def say(text: str) -> None:
    """Print the text on standard output; what its encoding cannot show is written with a backslash."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.rstrip("\n").encode(encoding, "backslashreplace").decode(encoding) + "\n")


def report(figures: Figures, output: str) -> None:
    """Print the figures of a run: its lines for people, or one line of JSON without them.

    Raises
    ------
    FoundError
        After printing, when the figures have `passed` false.
    """
    if output == "json":
        say(as_json({key: value for key, value in figures.items() if key not in FOR_PEOPLE}))
    else:
        say("\n".join(figures.get("say") or [f"{key}: {value}" for key, value in figures.items()]))
    if figures.get("passed") is False:
        raise FoundError("The check did not pass: read its findings before you train or score.")


def as_json(figures: Figures) -> str:
    """Return the figures as one line of JSON, keys sorted; what is no number (NaN, infinity) becomes null.

    Examples
    --------
    >>> as_json({"rows": 3, "auc": {"churn": float("nan")}})
    '{"auc": {"churn": null}, "rows": 3}'
    """
    return json.dumps(_finite(figures), sort_keys=True, allow_nan=False, default=str)


def _finite(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    plain = value.item() if hasattr(value, "item") else value  # a NumPy scalar has one
    return None if isinstance(plain, float) and not isfinite(plain) else plain


def table(runs: Sequence[Run]) -> str:
    """Return one line a run: its overrides and its `row`, or else the figures that tell the runs apart.

    Examples
    --------
    >>> one, two = {"auc": 0.7512, "rows": 9}, {"auc": 0.7, "rows": 9}
    >>> print(table([(["task=churn", "seed=1"], one), (["task=churn", "seed=2"], two)]))
    run     auc
    seed=1  0.7512
    seed=2  0.7000
    """
    common_words = set.intersection(*(set(words) for words, _ in runs))
    names = [" ".join(word for word in words if word not in common_words) for words, _ in runs]
    flat_rows = [dict(_flat(figures.get("row") or figures)) for _, figures in runs]
    rows = [{"run": name, **row} for name, row in zip(names, flat_rows, strict=True)]
    columns = dict.fromkeys(name for row in rows for name in row)
    columns_shown = [name for name in columns if _tells(name, rows)][:MOST_COLUMNS]
    cells = [columns_shown, *([row.get(name, "") for name in columns_shown] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def _tells(name: str, rows: list[dict[str, str]]) -> bool:
    return name in ("run", "error") or len({row[name] for row in rows if name in row}) > 1


def _flat(figures: Figures, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, float):
            yield prefix + key, f"{value:.4f}"
        elif isinstance(value, int | str):
            yield prefix + key, str(value)
