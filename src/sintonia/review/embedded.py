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
class Shown:
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


PROPENSITY = Shown("What makes the score, in log-odds", parts=10_000, scale=100, digits=1, suffix="\u202f%")


def amounts_in(currency: str) -> Shown:
    """Return how expected amounts are shown: cents in, units of the currency out."""
    return Shown("What makes the score, in log amounts", parts=1, scale=0.01, digits=2, suffix=f" {currency}")


def embedded(people: Sequence[ExampleCustomer], catalogue: Mapping[str, Meaning], shown: Shown) -> Markup:
    """Return the customers as JSON for a script element: features, channels and kinds as places in lists."""
    features = list(
        dict.fromkeys(
            name for one in people for name in (*(part.feature for part in one.parts), *one.what_if.features)
        )
    )
    channels = sorted({channel for one in people for channel in one.history.channel})
    kinds = sorted({kind for one in people for kind in one.history.kind})
    places = {name: at for at, name in enumerate(features)}
    return as_script_data(
        {
            "caption": shown.caption,
            "scale": shown.scale / shown.parts,
            "digits": shown.digits,
            "suffix": shown.suffix,
            "note": shown.note,
            "actions": shown.actions,
            "threshold": shown.threshold,
            "features": [definition(name, catalogue) for name in features],
            "channels": channels,
            "kinds": kinds,
            "customers": [_told(one, catalogue, places, (channels, kinds), shown) for one in people],
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


def _told(
    one: ExampleCustomer,
    catalogue: Mapping[str, Meaning],
    places: Mapping[str, int],
    listed: tuple[Sequence[str], Sequence[str]],
    shown: Shown,
) -> dict[str, Any]:
    history, grid = one.history, one.what_if
    channels, kinds = ({name: at for at, name in enumerate(names)} for names in listed)
    return {
        "sample": one.sample,
        "kind": one.kind,
        "meaning": one.meaning,
        "said": one.said,
        "came": one.came,
        "facts": list(one.facts.items()),
        "outcome": one.outcome,
        "start": one.start,
        "base": one.base,
        "parts": [
            [places[part.feature], value_text(part.feature, part.value, catalogue), part.contribution]
            for part in one.parts
        ],
        "rest": list(one.rest.items()),
        "end": one.end,
        "raw": one.raw,
        "reasons": list(one.reasons),
        "gains": [[of.action, of.gain, of.low, of.high, of.able] for of in one.gains],
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
            "outcomes": [round(shown.parts * outcome) for outcome in grid.outcomes],
            "actions": list(grid.actions),
        },
    }
