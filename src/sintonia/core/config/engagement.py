"""What a round of decisions may do, as a campaign manager would say it: rules, limits, hours, shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sintonia.core.config.actions import NONE, ActionConfig, check_actions, check_channels
from sintonia.core.config.checks import at_least, one_of
from sintonia.core.errors import ConfigError, unknown

STAGES = ("eligibility", "applicability", "suitability")
"""May they have it at all; does it make sense now; is it right for them. A rule stands in one, in this order."""

CALENDAR = ("day", "week", "month")
FACTORS = ("value", "effect", "lever", "cost")


@dataclass(frozen=True)
class RuleConfig:
    """A rule: actions (all when empty) are for those of whom `where` is true; unknown is not true.

    `where` is an SQL expression over the golden record's attributes, features, and `open_complaint`.
    """

    stage: str = "eligibility"
    where: str = ""
    actions: list[str] = field(default_factory=list)
    because: str = ""

    def __post_init__(self) -> None:
        """Refuse a rule of no stage, and one that says nothing."""
        one_of("stage of a rule", self.stage, STAGES)
        if not self.where:
            raise ConfigError(
                "A rule under engagement.rules has no where; give a condition, as birth_year <= 2007."
            )


@dataclass(frozen=True)
class ContactLimitConfig:
    """At most so many contacts, on a channel or in all, in `rolling_days` or since the calendar period began."""

    at_most: int = 1
    rolling_days: int | None = None
    calendar: str | None = None
    channel: str | None = None

    def __post_init__(self) -> None:
        """Refuse a limit without a period, or with two."""
        at_least("engagement.contact_limits at_most", self.at_most, 0)
        if (self.rolling_days is None) == (self.calendar is None):
            raise ConfigError(
                "A limit under engagement.contact_limits needs one period said: rolling_days=7 or calendar=week."
            )
        if self.calendar is not None:
            one_of("calendar period", self.calendar, CALENDAR)
        if self.rolling_days is not None:
            at_least("engagement.contact_limits rolling_days", self.rolling_days, 1)


@dataclass(frozen=True)
class PauseConfig:
    """After so many refusals in a row, none for `days` on the channel, or on any when none is named.

    A refusal is a message without one of `answers` for `unanswered_days`.
    """

    after_refusals: int = 3
    days: int = 30
    unanswered_days: int = 7
    channel: str | None = None
    answers: list[str] = field(default_factory=lambda: ["open", "click", "redeem"])

    def __post_init__(self) -> None:
        """Refuse a pause that never begins or never was."""
        for key in ("after_refusals", "days", "unanswered_days"):
            at_least(f"engagement.pauses {key}", getattr(self, key), 1)


@dataclass(frozen=True)
class CapacityConfig:
    """At least and at most so many contacts a round, or on each day of it, of a channel, an action or all.

    A day is that of the customers' own clocks.
    """

    at_most: int | None = None
    at_least: int = 0
    channel: str | None = None
    action: str | None = None
    per: str = "round"

    def __post_init__(self) -> None:
        """Refuse a capacity of no kind."""
        one_of("per of a capacity", self.per, ("round", "day"))
        if self.at_most is None and not self.at_least:
            raise ConfigError(
                "A capacity under engagement.capacities has neither at_most nor at_least; give one."
            )


@dataclass(frozen=True)
class HoursConfig:
    """When a channel may be used, by the customer's own clock: from_hour <= hour < until_hour, on these weekdays.

    0 is Monday.
    """

    from_hour: int = 8
    until_hour: int = 21
    weekdays: list[int] = field(default_factory=lambda: list(range(7)))

    def __post_init__(self) -> None:
        """Refuse hours that never come."""
        if not 0 <= self.from_hour < self.until_hour <= 24:
            raise ConfigError(
                f"Hours from {self.from_hour} until {self.until_hour} are none; give 0 <= from < until <= 24."
            )
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            raise ConfigError(f"weekdays={self.weekdays} are none; give some of 0 (Monday) to 6.")


@dataclass(frozen=True)
class SendConfig:
    """When to send: within so many days of the decision, at each customer's best hour that is allowed.

    The hours a customer comes are leant on those of people with the same values of the attributes `people_like`,
    as if by `like_visits` visits, and theirs on the brand's. A day that is not a customer's best takes up to
    `day_lever` of the worth away, where a capacity counts days.
    """

    within_days: int = 7
    time_zone: str = "UTC"
    people_like: list[str] = field(default_factory=list)
    like_visits: float = 20.0
    day_lever: float = 0.1
    hours: dict[str, HoursConfig] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a time zone nobody lives in, and numbers that cannot work."""
        at_least("engagement.send.within_days", self.within_days, 1)
        at_least("engagement.send.like_visits", self.like_visits, 0)
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            raise ConfigError(
                f"engagement.send.time_zone='{self.time_zone}' is no time zone; write it as Europe/Rome."
            ) from None


@dataclass(frozen=True)
class EligibilityRules:
    """What decides who may have an action: the rules, and whether an open complaint stops what sells."""

    rules: Mapping[str, RuleConfig]
    complaint_stops_selling: bool


@dataclass(frozen=True)
class ContactRules:
    """How often a customer may be contacted; calendar periods begin by the clocks of `time_zone`."""

    limits: Mapping[str, ContactLimitConfig]
    pauses: Mapping[str, PauseConfig]
    time_zone: str


@dataclass(frozen=True)
class WorthRule:
    """What a contact is worth: `value` is an expression of what a unit of effect is worth, `factors` what counts."""

    value: str
    factors: tuple[str, ...]


@dataclass(frozen=True)
class AllocationRules:
    """What a round may use together, in contacts and in the brand's currency, and who gets the fallback."""

    capacities: Mapping[str, CapacityConfig]
    budget: float | None
    fallback: str


@dataclass(frozen=True)
class ArmShares:
    """Which shares are held out and explore, how much of each limit exploring may take, and the salt of the draws."""

    holdout: float
    explore: float
    explore_capacity: float
    salt: str


@dataclass(frozen=True)
class EngagementConfig:
    """All of it. `value` is what a unit of effect is worth in currency, a number or an expression like a rule's.

    A contact's worth is the product of the `factors` value, effect and lever, less the cost; a factor that is not
    named counts as 1, the cost as 0. `fallback` is done for those for whom nothing is worth it, where it may be.
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
        """Refuse factors nobody knows, and shares that are none."""
        for factor in self.factors:
            one_of("factor", factor, FACTORS)
        for key in ("holdout_share", "explore_share", "explore_capacity"):
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"engagement.{key}={getattr(self, key)} is no share; give 0 to 1.")

    @property
    def eligibility(self) -> EligibilityRules:
        """What the checks of rules and complaints read."""
        return EligibilityRules(self.rules, self.complaint_stops_selling)

    @property
    def contacts(self) -> ContactRules:
        """What the checks of past contacts read."""
        return ContactRules(self.contact_limits, self.pauses, self.send.time_zone)

    @property
    def worth(self) -> WorthRule:
        """What the worth of a contact is computed by."""
        return WorthRule(self.value, tuple(self.factors))

    @property
    def allocation(self) -> AllocationRules:
        """What the allocation of scarce contacts and money reads."""
        return AllocationRules(self.capacities, self.budget, self.fallback)

    @property
    def arms(self) -> ArmShares:
        """What arms are drawn by, and how far exploring goes."""
        return ArmShares(self.holdout_share, self.explore_share, self.explore_capacity, self.salt)


def check_engagement(engagement: EngagementConfig, actions: Mapping[str, ActionConfig]) -> None:
    """Refuse a configuration of deciding that names actions or channels that are not among the brand's.

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
