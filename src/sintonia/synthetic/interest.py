"""How interest warms, cools and falls asleep: what nothing the brand does will change."""

from dataclasses import dataclass

import numpy as np

from sintonia.core.arrays import Bools, Floats
from sintonia.synthetic.clock import EFFECT_WEEKS, Calendar
from sintonia.synthetic.people import SyntheticPeople

LAG_WEEKS = 3
"""Orders follow interest by three weeks: browsing and opened mails warm and cool first, and the orders of the
28 days after a decision rest on interest that is there when it is taken."""

_STICKINESS = 0.96
_SPREAD = 0.8
_FALLS_ASLEEP, _WAKES, _SLEEP = 1 / 70, 1 / 60, 3.5
_BROWSES_BEFORE = 3


@dataclass(frozen=True)
class InterestRates:
    """Rates per person and week, `EFFECT_WEEKS` past the end: (n, weeks + 4).

    `orders` and `browsing` are visits a week; `attention`, in [0, 1), scales the share of mails opened;
    `web_share` is the share of orders placed on the web.
    """

    orders: Floats
    browsing: Floats
    attention: Floats
    web_share: Floats


def draw_interest_rates(
    rng: np.random.Generator, people: SyntheticPeople, calendar: Calendar
) -> InterestRates:
    """Return the rates of people: nobody orders before registering, or where they are not registered."""
    last = calendar.weeks + EFFECT_WEEKS
    warmth = _warmth(rng, len(people), last + LAG_WEEKS)  # column j is the warmth of week j - lag
    weeks = np.arange(last)
    joined, account, card, browses = (
        weeks > since[:, None]
        for since in (
            people.first_week,
            people.account_from,
            people.card_from,
            people.account_from - 1 - _BROWSES_BEFORE,
        )
    )
    now = warmth[:, LAG_WEEKS:]
    return InterestRates(
        orders=people.order_rate[:, None] * warmth[:, :last] * calendar.season() * joined,
        browsing=people.browse_rate[:, None] * now * browses,
        attention=now / (0.3 + now),
        web_share=np.where(account & card, people.web_share[:, None], account.astype(float)),
    )


def _warmth(rng: np.random.Generator, n: int, weeks: int) -> Floats:
    """Return the factor of interest on rates, (n, weeks): exp of an AR(1), less 3.5 in spells of sleep."""
    level = rng.normal(0, _SPREAD, n)
    asleep = rng.random(n) < _FALLS_ASLEEP / (_FALLS_ASLEEP + _WAKES)
    fresh = _SPREAD * np.sqrt(1 - _STICKINESS**2)
    warmth = np.empty((weeks, n))
    for week in range(weeks):
        warmth[week] = _felt(level, asleep)
        level = _STICKINESS * level + rng.normal(0, fresh, n)
        asleep = asleep ^ (rng.random(n) < np.where(asleep, _WAKES, _FALLS_ASLEEP))
    return np.ascontiguousarray(warmth.T)


def _felt(level: Floats, asleep: Bools) -> Floats:
    felt: Floats = np.exp(level - _SPREAD**2 / 2 - _SLEEP * asleep)
    return felt
