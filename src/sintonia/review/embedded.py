"""The customers as the page's script reads them: compact JSON that cannot end the element it stands in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sintonia.explain import Meaning, shown
from sintonia.review.customers import MEANING, Customer

UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def embedded(
    customers: Sequence[Customer], catalogue: Mapping[str, Meaning], amount: bool, unit: str
) -> Markup:
    """Return the customers as JSON for a script element: features, channels and kinds as places in lists.

    Of propensities the outcomes of a grid are whole ten-thousandths, of amounts whole cents.
    """
    features = list(
        dict.fromkeys(
            name
            for one in customers
            for name in (*(part.feature for part in one.parts), *one.what_if.features)
        )
    )
    channels = sorted({channel for one in customers for channel in one.history.channel})
    kinds = sorted({kind for one in customers for kind in one.history.kind})
    places = {name: at for at, name in enumerate(features)}
    return as_script_data(
        {
            "amount": amount,
            "unit": unit,
            "meaning": MEANING,
            "features": [catalogue[name].definition if name in catalogue else name for name in features],
            "channels": channels,
            "kinds": kinds,
            "customers": [_told(one, catalogue, places, (channels, kinds), amount) for one in customers],
        }
    )


def as_script_data(value: Any) -> Markup:  # noqa: ANN401  any JSON value
    """Return JSON in which nothing can end a script element or begin another.

    Examples
    --------
    >>> print(as_script_data({"a": "</script>"}))
    {"a":"\\u003c/script\\u003e"}
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter, escape in UNSAFE.items():
        text = text.replace(letter, escape)
    return Markup(text)


def rest_text(family: str) -> str:
    """Return how the features of a family are called that are not listed one by one."""
    return f"Other features of {family}" if family else "All other features"


def value_text(name: str, value: float | None, catalogue: Mapping[str, Meaning]) -> str:
    """Return a feature's value as people write it; of a missing one, what that says."""
    meaning = catalogue.get(name)
    if value is None:
        return meaning.missing if meaning else "missing"
    return shown(value, meaning.unit if meaning else "")


def _told(
    one: Customer,
    catalogue: Mapping[str, Meaning],
    places: Mapping[str, int],
    listed: tuple[Sequence[str], Sequence[str]],
    amount: bool,
) -> dict[str, Any]:
    history, grid = one.history, one.what_if
    channels, kinds = ({name: at for at, name in enumerate(names)} for names in listed)
    scale = 1 if amount else 10_000
    return {
        "sample": one.sample,
        "kind": one.kind,
        "as_of": one.as_of,
        "category": one.category,
        "outcome": one.outcome,
        "label": one.label,
        "raw": one.raw,
        "base": one.base,
        "parts": [
            [places[part.feature], value_text(part.feature, part.value, catalogue), part.contribution]
            for part in one.parts
        ],
        "rest": [[rest_text(family), size] for family, size in one.rest.items()],
        "groups": one.groups,
        "reasons": list(one.reasons),
        "history": {
            "days": list(history.days),
            "channel": [channels[name] for name in history.channel],
            "kind": [kinds[name] for name in history.kind],
            "cents": list(history.cents),
            "earlier": history.earlier,
        },
        "what_if": {
            "features": [places[name] for name in grid.features],
            "values": [
                [value_text(name, value, catalogue) for value in values]
                for name, values in zip(grid.features, grid.values, strict=True)
            ],
            "outcomes": [round(scale * outcome) for outcome in grid.outcomes],
        },
    }
