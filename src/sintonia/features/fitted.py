"""What features learn from all customers' past: levels of labels, brand rates and the behavioural prior."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sintonia.core.config.convert import from_plain

ATTRIBUTE_LABELS = ("attribute", "number", "changing")
"""The levels that are names of attributes."""


@dataclass(frozen=True)
class Fitted:
    """What was learned from the rows visible at `until` and no others; plain values that JSON keeps exactly.

    `levels` are the values of a label (channel, kind, category, action_id, source) seen by then, the most
    frequent first; under `sent:channel` and `sent:action_id`, those of the brand's messages, and what
    `people` fits of attributes, consents and identifiers. `means` are the
    brand's own rates, which a customer's few tries lean on. `prior` is the behavioural prior's JSON, None where
    there is none.
    """

    until: datetime
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    prior: Mapping[str, Any] | None = None

    def without_attribute(self, name: str) -> "Fitted":
        """Return what was fitted without an attribute, so that no feature reads it.

        Examples
        --------
        >>> fitted = Fitted(datetime(2025, 1, 1), {"attribute": ("plan", "churn"), "number": ()})
        >>> fitted.without_attribute("churn").levels
        {'attribute': ('plan',), 'number': ()}
        """
        levels = {
            label: tuple(value for value in values if label not in ATTRIBUTE_LABELS or value != name)
            for label, values in self.levels.items()
        }
        return replace(self, levels=levels)

    def as_plain(self) -> dict[str, Any]:
        """Return JSON values, which `from_plain` reads back to the last bit."""
        levels = {name: list(values) for name, values in self.levels.items()}
        return asdict(self) | {"until": self.until.isoformat(), "levels": levels}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Fitted":
        """Return what `as_plain` gave.

        Raises
        ------
        InputError
            When these values are nothing fitted.

        Examples
        --------
        >>> fitted = Fitted(datetime(2025, 1, 1), {"channel": ("web", "store")}, {"open": 0.25})
        >>> Fitted.from_plain(fitted.as_plain()) == fitted
        True
        """
        fitted: Fitted = from_plain(cls, plain, "what the features were fitted to", remedy="train again")
        return fitted
