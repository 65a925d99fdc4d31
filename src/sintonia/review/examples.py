"""Explained customers as pages show them: as text, as steps of a waterfall, and as JSON for the page's script.

An example is a score with its label, or an action with its reward.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from sintonia.core.html import number, percent
from sintonia.explain.contributions import FeatureMeaning, format_value
from sintonia.explain.what_if import WhatIf
from sintonia.review.customers import MEANING, Customer, FeatureContribution, RecentInteractions
from sintonia.review.policy_examples import KINDS, ExplainedDecision, Gain

START, END = "Base value", "Raw score"


@dataclass(frozen=True)
class ExampleCustomer:
    """One explained row: why it was chosen, prediction, outcome, and what the score consists of.

    `base`, the contributions of `parts` and the sizes of `rest` add up to `raw`; `start` and `end` name the former and
    the latter. `outcome` is the number behind the text `said`.
    """

    sample: int
    kind: str
    meaning: str
    said: str
    came: str
    facts: Mapping[str, str]
    outcome: float
    start: str
    base: float
    parts: tuple[FeatureContribution, ...]
    rest: Mapping[str, float]
    end: str
    raw: float
    reasons: tuple[str, ...]
    history: RecentInteractions
    what_if: WhatIf
    gains: tuple[Gain, ...] = ()


def scored_example(customer: Customer, amount: bool, currency: str = "EUR") -> ExampleCustomer:
    """Return a row that was scored: propensities and whether it happened, or amounts (`amount`) in the currency."""
    prediction = f"{customer.outcome / 100:,.2f} {currency}" if amount else percent(customer.outcome, 1)
    observation = (
        f"it was {customer.label / 100:,.2f} {currency}"
        if amount
        else "it happened"
        if customer.label
        else "it did not happen"
    )
    facts = {"As of": customer.as_of, "Predicted": prediction, "Observed": observation}
    return ExampleCustomer(
        sample=customer.sample,
        kind=customer.kind,
        meaning=f"Selected for {MEANING[customer.kind]}.",
        said=prediction,
        came=observation,
        facts={**facts, **({"Category": customer.category} if customer.category else {}), **customer.groups},
        outcome=customer.outcome,
        start=START,
        base=customer.base,
        parts=customer.parts,
        rest={other_features_text(family): size for family, size in customer.rest.items()},
        end=END,
        raw=customer.raw,
        reasons=customer.reasons,
        history=customer.history,
        what_if=customer.what_if,
    )


def decision_example(decision: ExplainedDecision) -> ExampleCustomer:
    """Return a decision: the parts of the recommended action's gain, the logged action and its reward."""
    best = decision.gain
    prediction = f"{decision.recommended} {number(best.gain, 3, signed=True)}"
    observation = (
        f"got {decision.given}, reward {number(decision.came, 2)} (expected {number(decision.expected, 2)})"
    )
    return ExampleCustomer(
        sample=decision.sample,
        kind=decision.kind,
        meaning=f"Selected because {KINDS[decision.kind]}.",
        said=prediction,
        came=observation,
        facts={
            "As known on": decision.as_of,
            "Best action": decision.recommended,
            "Expected gain": f"{number(best.gain, 3, signed=True)} ({number(best.low)} to {number(best.high)})",
            "Logged action": decision.given,
            "Expected reward": number(decision.expected, 2),
            "Observed reward": number(decision.came, 2),
        },
        outcome=best.gain,
        start=f"Mean effect of {decision.recommended}",
        base=decision.mean,
        parts=decision.parts,
        rest={
            **{other_features_text(family): size for family, size in decision.rest.items()},
            **{
                name: size
                for name, size in (("The action itself", decision.own), ("Cost", -decision.cost))
                if size
            },
        },
        end="Expected gain",
        raw=best.gain,
        reasons=decision.reasons,
        history=decision.history,
        what_if=decision.what_if,
        gains=decision.gains,
    )


def other_features_text(family: str) -> str:
    """Return the name of a family's features that are not listed one by one."""
    return f"Other features of {family}" if family else "All other features"


def value_text(name: str, value: float | None, catalogue: Mapping[str, FeatureMeaning]) -> str:
    """Return a feature's value as text; of a missing value, what missing means."""
    meaning = catalogue.get(name)
    if value is None:
        return meaning.missing if meaning else "missing"
    return format_value(value, meaning.unit if meaning else "")


def definition(name: str, catalogue: Mapping[str, FeatureMeaning]) -> str:
    """Return what a feature measures, in words; its name where the catalogue does not know it."""
    return catalogue[name].definition if name in catalogue else name


@dataclass(frozen=True)
class WaterfallStep:
    """One step of a waterfall: what it is (start, up, down or end), its size, and its bar in per cent of the width."""

    kind: str
    size: float
    left: float
    width: float


def waterfall(example: ExampleCustomer) -> list[WaterfallStep]:
    """Return the steps from the base to a row's raw score: the start, its parts, the rest by family, the end."""
    sizes = [*(part.contribution for part in example.parts), *example.rest.values()]
    ends = np.cumsum([example.base, *sizes]).tolist()
    low, high = min(0.0, *ends), max(0.0, *ends)
    span = high - low or 1.0

    def step(kind: str, size: float, start: float, end: float) -> WaterfallStep:
        left, width = 100 * (min(start, end) - low) / span, 100 * abs(end - start) / span
        return WaterfallStep(kind, size, round(min(left, 99.6), 2), round(max(width, 0.4), 2))

    steps = [
        step("down" if size < 0 else "up", size, ends[at], ends[at + 1]) for at, size in enumerate(sizes)
    ]
    return [step("start", example.base, 0.0, example.base), *steps, step("end", example.raw, 0.0, ends[-1])]


def first_of_each_kind(people: Sequence[ExampleCustomer]) -> list[ExampleCustomer]:
    """Return one row of each kind, as the page shows it without JavaScript and in print."""
    first: dict[str, ExampleCustomer] = {}
    for example in people:
        first.setdefault(example.kind, example)
    return [*first.values()]


UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True)
class GridFormat:
    """How the script formats the outcomes of a what-if grid, with the caption of a waterfall and the note below a grid.

    Outcomes are stored as whole numbers, `parts` to one, and format_value as `scale` times the outcome. Of a policy,
    `actions` are named by their indices, and one whose gain does not exceed `threshold` is not done.
    """

    caption: str
    parts: int
    scale: float
    digits: int
    suffix: str
    note: str = "The model's prediction with other values; it is not the effect of an action."
    actions: tuple[str, ...] = ()
    threshold: float = 0.0


PROPENSITY = GridFormat(
    "Contributions to the score, in log-odds", parts=10_000, scale=100, digits=1, suffix="\u202f%"
)


def amounts_in(currency: str) -> GridFormat:
    """Return how expected amounts are format_value: cents in, units of the currency out."""
    return GridFormat(
        "Contributions to the score, in log amounts", parts=1, scale=0.01, digits=2, suffix=f" {currency}"
    )


def embedded_customers(
    people: Sequence[ExampleCustomer], catalogue: Mapping[str, FeatureMeaning], grid_format: GridFormat
) -> Markup:
    """Return the customers as JSON for a script element: features, channels and kinds as indices of lists."""
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
    catalogue: Mapping[str, FeatureMeaning],
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
