"""The group `features`: families, windows and measures of the user's own."""

from dataclasses import dataclass, field

from sintonia.core.config.checks import at_least, one_of
from sintonia.core.errors import ConfigError

AGGREGATIONS = ("sum", "count", "share", "mean", "max", "min", "last", "days_since")
"""How a measure of the user's own is aggregated."""


@dataclass(frozen=True)
class MeasureConfig:
    """A measure of the user's own: an SQL expression over one interaction, and how it is aggregated.

    Over the interactions `where` is true for: `sum`, `mean`, `max` and `min` of the expression, `count` and `share`
    of those it is true for, its `last` value, and `days_since` it was last true. `definition`, `unit` and `why`
    are for the reader; no windows of its own means the configuration's.
    """

    expression: str = ""
    where: str | None = None
    aggregations: list[str] = field(default_factory=lambda: ["sum"])
    windows_days: list[int] = field(default_factory=list)
    unit: str = "units"
    definition: str = ""
    why: str = "A measure of this brand's own"

    def __post_init__(self) -> None:
        """Refuse a measure of nothing, and a way of gathering that does not exist."""
        if not self.expression:
            raise ConfigError("A measure under features.measures has no expression; give one, as amount.")
        for aggregation in self.aggregations:
            one_of("aggregation of a measure", aggregation, AGGREGATIONS)
        for window_days in self.windows_days:
            at_least("features.measures windows_days", window_days, 1)


@dataclass(frozen=True)
class FeaturesConfig:
    """Which families of features, over which windows and with which half-lives, and measures of the user's own.

    Of categories and actions, the `top_k` most frequent get columns of their own. `families_from` names Python
    functions that give families: `folder/file.py:function` or `module:function`.
    """

    families: list[str] = field(default_factory=list)
    windows_days: list[int] = field(default_factory=list)
    half_lives_days: list[int] = field(default_factory=lambda: [30, 180])
    top_k: int = 10
    measures: dict[str, MeasureConfig] = field(default_factory=dict)
    families_from: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse empty windows and half-lives."""
        for window_days in self.windows_days:
            at_least("features.windows_days", window_days, 1)
        for half_life_days in self.half_lives_days:
            at_least("features.half_lives_days", half_life_days, 1)
        at_least("features.top_k", self.top_k, 1)
