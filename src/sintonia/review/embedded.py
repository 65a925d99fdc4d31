"""The customers as the page's script reads them: compact JSON that cannot end the element it stands in."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sintonia.explain.contributions import Meaning
from sintonia.review.people import ExampleCustomer, definition, value_text

UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True)
class GridFormat:
    """How the script writes what a grid answers, and what it says of a waterfall and (`note`) below a grid.

    Answers travel as whole numbers, `parts` to one, and are shown as `scale` times the answer. Of a policy,
    `actions` are named by their places, and one whose gain does not exceed `threshold` is not done.
    """

    caption: str
    parts: int
    scale: float
    digits: int
    suffix: str
    note: str = "The model's answer with other values alone: what an action would change, it does not say."
    actions: tuple[str, ...] = ()
    threshold: float = 0.0


PROPENSITY = GridFormat(
    "What makes the score, in log-odds", parts=10_000, scale=100, digits=1, suffix="\u202f%"
)
AMOUNT = GridFormat("What makes the score, in log amounts", parts=1, scale=0.01, digits=2, suffix=" EUR")


def embedded_customers(
    people: Sequence[ExampleCustomer], catalogue: Mapping[str, Meaning], grid_format: GridFormat
) -> Markup:
    """Return the customers as JSON for a script element: features, channels and kinds as places in lists."""
    features = list(
        dict.fromkeys(
            name
            for customer in people
            for name in (*(part.feature for part in customer.parts), *customer.what_if.features)
        )
    )
    channels = sorted({channel for customer in people for channel in customer.history.channel})
    kinds = sorted({kind for customer in people for kind in customer.history.kind})
    indices = {name: at for at, name in enumerate(features)}
    return as_script_data(
        {
            "caption": grid_format.caption,
            "scale": grid_format.scale / grid_format.parts,
            "digits": grid_format.digits,
            "suffix": grid_format.suffix,
            "note": grid_format.note,
            "actions": grid_format.actions,
            "threshold": grid_format.threshold,
            "features": [definition(name, catalogue) for name in features],
            "channels": channels,
            "kinds": kinds,
            "customers": [
                _customer_document(customer, catalogue, indices, (channels, kinds), grid_format)
                for customer in people
            ],
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
    for character, escape in UNSAFE.items():
        text = text.replace(character, escape)
    return Markup(text)


def _customer_document(
    customer: ExampleCustomer,
    catalogue: Mapping[str, Meaning],
    indices: Mapping[str, int],
    listed_names: tuple[Sequence[str], Sequence[str]],
    grid_format: GridFormat,
) -> dict[str, Any]:
    history, grid = customer.history, customer.what_if
    channels, kinds = ({name: at for at, name in enumerate(names)} for names in listed_names)
    return {
        "sample": customer.sample,
        "kind": customer.kind,
        "meaning": customer.meaning,
        "said": customer.said,
        "came": customer.came,
        "facts": list(customer.facts.items()),
        "outcome": customer.outcome,
        "start": customer.start,
        "base": customer.base,
        "parts": [
            [indices[part.feature], value_text(part.feature, part.value, catalogue), part.contribution]
            for part in customer.parts
        ],
        "rest": list(customer.rest.items()),
        "end": customer.end,
        "raw": customer.raw,
        "reasons": list(customer.reasons),
        "gains": [[gain.action, gain.gain, gain.low, gain.high, gain.able] for gain in customer.gains],
        "history": {
            "days": list(history.days),
            "channel": [channels[name] for name in history.channel],
            "kind": [kinds[name] for name in history.kind],
            "cents": list(history.cents),
            "earlier": history.earlier,
        },
        "what_if": {
            "features": [indices[name] for name in grid.features],
            "values": [
                [value_text(name, value, catalogue) for value in values]
                for name, values in zip(grid.features, grid.values, strict=True)
            ],
            "outcomes": [round(grid_format.parts * outcome) for outcome in grid.outcomes],
            "actions": list(grid.actions),
        },
    }
