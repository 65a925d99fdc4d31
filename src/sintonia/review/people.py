"""Explained rows as a page shows them, whatever they are of: a score with its label, or an action with its reward."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sintonia.core.html import number, percent
from sintonia.explain.contributions import Meaning, shown
from sintonia.explain.what_if import WhatIf
from sintonia.review.customers import MEANING, Customer, FeatureContribution
from sintonia.review.history import RecentInteractions
from sintonia.review.treated import KINDS, Gain, Treated

START, END = "Where every score starts", "Raw score"


@dataclass(frozen=True)
class ExampleCustomer:
    """One explained row: why it is here, what was said and came true, and what makes the score.

    `base`, the contributions of `parts` and the sizes of `rest` add up to `raw`; `start` and `end` name the former and
    the latter. `outcome` is what `said` says, as a number.
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


def scored(one: Customer, amount: bool, currency: str = "EUR") -> ExampleCustomer:
    """Return a row that was scored: propensities and whether it happened, or amounts (`amount`) in the currency."""
    said = f"{one.outcome / 100:,.2f} {currency}" if amount else percent(one.outcome, 1)
    came = (
        f"it was {one.label / 100:,.2f} {currency}"
        if amount
        else "it happened"
        if one.label
        else "it did not happen"
    )
    facts = {"As of": one.as_of, "Said": said, "Came true": came}
    return ExampleCustomer(
        sample=one.sample,
        kind=one.kind,
        meaning=f"Here for {MEANING[one.kind]}.",
        said=said,
        came=came,
        facts={**facts, **({"Category": one.category} if one.category else {}), **one.groups},
        outcome=one.outcome,
        start=START,
        base=one.base,
        parts=one.parts,
        rest={rest_text(family): size for family, size in one.rest.items()},
        end=END,
        raw=one.raw,
        reasons=one.reasons,
        history=one.history,
        what_if=one.what_if,
    )


def treated(one: Treated) -> ExampleCustomer:
    """Return a decision: the gain of the recommended action taken apart, what was given and what came of it."""
    best = one.gain
    said = f"{one.recommended} {number(best.gain, 3, signed=True)}"
    came = f"got {one.given}, {number(one.came, 2)} came ({number(one.expected, 2)} expected)"
    return ExampleCustomer(
        sample=one.sample,
        kind=one.kind,
        meaning=f"Here because {KINDS[one.kind]}.",
        said=said,
        came=came,
        facts={
            "As known on": one.as_of,
            "Best action": one.recommended,
            "Expected to gain": f"{number(best.gain, 3, signed=True)} ({number(best.low)} to {number(best.high)})",
            "Got": one.given,
            "Expected of it": number(one.expected, 2),
            "Came": number(one.came, 2),
        },
        outcome=best.gain,
        start=f"Mean effect of {one.recommended}",
        base=one.mean,
        parts=one.parts,
        rest={
            **{rest_text(family): size for family, size in one.rest.items()},
            **{name: size for name, size in (("The action by itself", one.own), ("Cost", -one.cost)) if size},
        },
        end="Expected gain",
        raw=best.gain,
        reasons=one.reasons,
        history=one.history,
        what_if=one.what_if,
        gains=one.gains,
    )


def rest_text(family: str) -> str:
    """Return how the features of a family are called that are not listed one by one."""
    return f"Other features of {family}" if family else "All other features"


def value_text(name: str, value: float | None, catalogue: Mapping[str, Meaning]) -> str:
    """Return a feature's value as people write it; of a missing one, what that says."""
    meaning = catalogue.get(name)
    if value is None:
        return meaning.missing if meaning else "missing"
    return shown(value, meaning.unit if meaning else "")


def definition(name: str, catalogue: Mapping[str, Meaning]) -> str:
    """Return what a feature measures, in words; its name where the catalogue does not know it."""
    return catalogue[name].definition if name in catalogue else name


@dataclass(frozen=True)
class Fall:
    """One step of a waterfall: what it is (start, up, down or end), its size, and its bar in per cent of the width."""

    kind: str
    size: float
    left: float
    width: float


def waterfall(one: ExampleCustomer) -> list[Fall]:
    """Return the steps from the base to a row's raw score: the start, its parts, the rest by family, the end."""
    sizes = [*(part.contribution for part in one.parts), *one.rest.values()]
    ends = np.cumsum([one.base, *sizes]).tolist()
    low, high = min(0.0, *ends), max(0.0, *ends)
    span = high - low or 1.0

    def fall(kind: str, size: float, start: float, end: float) -> Fall:
        left, width = 100 * (min(start, end) - low) / span, 100 * abs(end - start) / span
        return Fall(kind, size, round(min(left, 99.6), 2), round(max(width, 0.4), 2))

    steps = [
        fall("down" if size < 0 else "up", size, ends[at], ends[at + 1]) for at, size in enumerate(sizes)
    ]
    return [fall("start", one.base, 0.0, one.base), *steps, fall("end", one.raw, 0.0, ends[-1])]


def first_of_each_kind(people: Sequence[ExampleCustomer]) -> list[ExampleCustomer]:
    """Return one row of each kind, as the page shows it without its script and on paper."""
    first: dict[str, ExampleCustomer] = {}
    for one in people:
        first.setdefault(one.kind, one)
    return [*first.values()]
