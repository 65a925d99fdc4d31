"""The group `engagement`: rules, limits, hours and shares of a round of decisions, as a campaign manager knows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sintonia.core.config.actions import NONE, ActionConfig, check_actions, check_channels
from sintonia.core.config.checks import at_least, one_of
from sintonia.core.errors import ConfigError, unknown

STAGES = ("eligibility", "applicability", "suitability")
"""The stages of rules, in the order of their checks: allowed at all, sensible now, right for the customer."""

CALENDAR = ("day", "week", "month")
FACTORS = ("value", "effect", "lever", "cost")


@dataclass(frozen=True)
class RuleConfig:
    """A rule: its actions (all if empty) are only for customers for whom `where` is true; unknown is not true.

    `where` is an SQL expression over the golden record's attributes, features, and `open_complaint`.
    """

    stage: str = "eligibility"
    where: str = ""
    actions: list[str] = field(default_factory=list)
    because: str = ""

    def __post_init__(self) -> None:
        """Refuse an unknown stage and a rule without a condition."""
        one_of("stage of a rule", self.stage, STAGES)
        if not self.where:
            raise ConfigError(
                "A rule under engagement.rules has no where; give a condition, as birth_year <= 2007."
            )


@dataclass(frozen=True)
class ContactLimitConfig:
    """A maximum of contacts, on one channel or on all, in `rolling_days` or since the calendar period began."""

    at_most: int = 1
    rolling_days: int | None = None
    calendar: str | None = None
    channel: str | None = None

    def __post_init__(self) -> None:
        """Refuse a limit without a period, or with two."""
        at_least("engagement.contact_limits at_most", self.at_most, 0)
        if (self.rolling_days is None) == (self.calendar is None):
            raise ConfigError(
                "A limit under engagement.contact_limits needs exactly one period: rolling_days=7 or calendar=week."
            )
        if self.calendar is not None:
            one_of("calendar period", self.calendar, CALENDAR)
        if self.rolling_days is not None:
            at_least("engagement.contact_limits rolling_days", self.rolling_days, 1)


@dataclass(frozen=True)
class PauseConfig:
    """A pause of `days` after consecutive refusals, on one channel or on all.

    A refusal is a message without one of `answers` for `unanswered_days`.
    """

    after_refusals: int = 3
    days: int = 30
    unanswered_days: int = 7
    channel: str | None = None
    answers: list[str] = field(default_factory=lambda: ["open", "click", "redeem"])

    def __post_init__(self) -> None:
        """Refuse counts and periods below 1."""
        for key in ("after_refusals", "days", "unanswered_days"):
            at_least(f"engagement.pauses {key}", getattr(self, key), 1)


@dataclass(frozen=True)
class CapacityConfig:
    """The minimum and maximum of contacts in a round or on each of its days, of a channel, an action or all.

    A day is that of the customers' own clocks.
    """

    at_most: int | None = None
    at_least: int = 0
    channel: str | None = None
    action: str | None = None
    per: str = "round"

    def __post_init__(self) -> None:
        """Refuse a capacity without a bound."""
        one_of("per of a capacity", self.per, ("round", "day"))
        if self.at_most is None and not self.at_least:
            raise ConfigError(
                "A capacity under engagement.capacities has neither at_most nor at_least; give one."
            )


@dataclass(frozen=True)
class HoursConfig:
    """The allowed hours of a channel by the customer's own clock: from_hour <= hour < until_hour, on these weekdays.

    0 is Monday.
    """

    from_hour: int = 8
    until_hour: int = 21
    weekdays: list[int] = field(default_factory=lambda: list(range(7)))

    def __post_init__(self) -> None:
        """Refuse empty hours and unknown weekdays."""
        if not 0 <= self.from_hour < self.until_hour <= 24:
            raise ConfigError(
                f"Hours from {self.from_hour} until {self.until_hour} are empty; give 0 <= from < until <= 24."
            )
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            raise ConfigError(f"weekdays={self.weekdays} are not valid; give some of 0 (Monday) to 6.")


@dataclass(frozen=True)
class SendConfig:
    """When to send: within these days of the decision, at each customer's best allowed hour.

    A customer's visiting hours are shrunk towards those of customers with the same values of the attributes
    `people_like`, with the weight of `like_visits` visits, and these towards the brand's. Where a capacity counts days,
    another day than the customer's best reduces the worth by up to `day_lever` of it.
    """

    within_days: int = 7
    time_zone: str = "UTC"
    people_like: list[str] = field(default_factory=list)
    like_visits: float = 20.0
    day_lever: float = 0.1
    hours: dict[str, HoursConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an unknown time zone and values that cannot work."""
        at_least("engagement.send.within_days", self.within_days, 1)
        at_least("engagement.send.like_visits", self.like_visits, 0)
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ConfigError(
                f"engagement.send.time_zone='{self.time_zone}' is not a time zone; write it as Europe/Rome."
            ) from None


@dataclass(frozen=True)
class EligibilityRules:
    """Who may have an action: the rules, and whether an open complaint excludes actions that sell."""

    rules: Mapping[str, RuleConfig]
    complaint_stops_selling: bool


@dataclass(frozen=True)
class ContactRules:
    """How often a customer may be contacted; calendar periods begin by the clock of `time_zone`."""

    limits: Mapping[str, ContactLimitConfig]
    pauses: Mapping[str, PauseConfig]
    time_zone: str


@dataclass(frozen=True)
class WorthRule:
    """The worth of a contact: `value` is the expression for the value of a unit of effect, `factors` those used."""

    value: str
    factors: tuple[str, ...]


@dataclass(frozen=True)
class AllocationRules:
    """The limits of a whole round, in contacts and in currency, and the fallback action."""

    capacities: Mapping[str, CapacityConfig]
    budget: float | None
    fallback: str


@dataclass(frozen=True)
class ArmShares:
    """The shares of holdout and exploration, the share of limits for exploring, and the salt of the random draws."""

    holdout: float
    explore: float
    explore_capacity: float
    salt: str


@dataclass(frozen=True)
class EngagementConfig:
    """The engagement policy. `value` is the value of a unit of effect in currency, a number or an expression.

    A contact's worth is the product of the `factors` value, effect and lever, less the cost; an unused factor is 1, an
    unused cost 0. Customers without a worthwhile action get the `fallback`, where allowed.
    """

    name: str = ""
    rules: dict[str, RuleConfig] = field(default_factory=dict)
    contact_limits: dict[str, ContactLimitConfig] = field(default_factory=dict)
    pauses: dict[str, PauseConfig] = field(default_factory=dict)
    complaint_stops_selling: bool = True
    capacities: dict[str, CapacityConfig] = field(default_factory=dict)
    budget: float | None = None
    value: str = "1"
    factors: list[str] = field(default_factory=lambda: list(FACTORS))
    fallback: str = NONE
    holdout_share: float = 0.05
    explore_share: float = 0.05
    explore_capacity: float = 0.2
    salt: str = "sintonia"
    reward_days: int = 28
    send: SendConfig = field(default_factory=SendConfig)

    def __post_init__(self) -> None:
        """Refuse unknown factors and invalid shares."""
        for factor in self.factors:
            one_of("factor", factor, FACTORS)
        for key in ("holdout_share", "explore_share", "explore_capacity"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"engagement.{key}={getattr(self, key)} is not a share; give 0 to 1.")

    @property
    def eligibility(self) -> EligibilityRules:
        """The settings of the checks of rules and complaints."""
        return EligibilityRules(self.rules, self.complaint_stops_selling)

    @property
    def contacts(self) -> ContactRules:
        """The settings of the checks of past contacts."""
        return ContactRules(self.contact_limits, self.pauses, self.send.time_zone)

    @property
    def worth(self) -> WorthRule:
        """The settings of a contact's worth."""
        return WorthRule(self.value, tuple(self.factors))

    @property
    def allocation(self) -> AllocationRules:
        """The settings of the allocation within limits."""
        return AllocationRules(self.capacities, self.budget, self.fallback)

    @property
    def arms(self) -> ArmShares:
        """The settings of the arms."""
        return ArmShares(self.holdout_share, self.explore_share, self.explore_capacity, self.salt)


def check_engagement(engagement: EngagementConfig, actions: Mapping[str, ActionConfig]) -> None:
    """Refuse an engagement policy that names actions or channels that the brand does not have.

    Raises
    ------
    ConfigError
        When there is no action, an action has no channel, or a rule, a limit, a pause or the fallback names an action
        or channel that does not exist.
    """
    if not actions:
        raise ConfigError("The group actions names no action; give actions=synthetic, or one of your own.")
    check_actions(actions)
    check_channels(actions)
    for rule in engagement.rules.values():
        for action in rule.actions:
            one_of("action in engagement.rules:", action, tuple(actions))
    one_of("action in engagement.fallback:", engagement.fallback, (*actions, NONE))
    channels = {action.channel for action in actions.values()}
    named = [capacity.channel for capacity in engagement.capacities.values()]
    named += [limit.channel for limit in engagement.contact_limits.values()]
    named += [pause.channel for pause in engagement.pauses.values()]
    for channel in [*named, *engagement.send.hours]:
        if channel is not None and channel not in channels:
            raise unknown("channel in the engagement policy", channel, channels)
    for capacity in engagement.capacities.values():
        if capacity.action is not None:
            one_of("action in engagement.capacities:", capacity.action, tuple(actions))
