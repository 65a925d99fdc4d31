"""The group `effects`: what an action may bring, what it earns, and how it is learned."""

from dataclasses import dataclass, field

from sintonia.core.config.checks import at_least, iso_time, one_of
from sintonia.core.errors import ConfigError

REWARDS = ("converted", "spend", "margin")
"""What may count as the reward of a decision."""


@dataclass(frozen=True)
class RewardConfig:
    """What counts as the reward of a decision, in [decided_at, decided_at + horizon), whether or not it was sent.

    `converted` is 1 when an interaction of `kinds` follows, `spend` the money of purchases less returns, `margin` what
    is left of it when the goods cost all but `margin_share` of the list price. `cap` bounds it; with
    `own_discount` what was paid out for the decision's own action (redemptions that name it) is taken off. Without a
    horizon the log's own `reward_until` counts.
    """

    name: str = "spend"
    kinds: list[str] = field(default_factory=lambda: ["purchase"])
    margin_share: float = 0.5
    cap: float | None = None
    own_discount: bool = False
    horizon_days: int = 0
    horizon_hours: int = 0

    def __post_init__(self) -> None:
        """Refuse a reward that does not exist, and a horizon before the decision."""
        one_of("reward", self.name, REWARDS)
        at_least("effects.reward.horizon_days", self.horizon_days, 0)
        at_least("effects.reward.horizon_hours", self.horizon_hours, 0)


FAMILIES = ("rfm", "kinds", "trust", "motives", "affinity", "response", "profile", "prior")
"""The families of features that tell what moves a customer; rhythm, clock and journeys cost time and told no more."""

POLICIES = ("best_gain", "sure_gain", "softmax", "thompson")
"""How a personalised policy turns gains into actions."""


@dataclass(frozen=True)
class EffectsConfig:
    """How effects become a policy: what a unit of reward is worth, what is not worth doing, how much is tried out.

    `threshold` is the gain an action must exceed, `temperature` the gain that makes softmax e times likelier,
    `floor` the least probability of every eligible action. Of the customers, `teach_share` teach, `gate_share`
    decide whether the personalised policy passes, and the others report, on decisions from `judge_from` on, or on the
    newest fifth of the rounds. With `none_for_others`, who was known and is not in a round's log had `none`. A log
    without propensities needs every action at least `overlap` likely for nine decisions in ten. About the newest
    `most_decisions` are looked at, by those of the configured feature families that are named here.
    """

    name: str = "best_gain"
    reward: RewardConfig = field(default_factory=RewardConfig)
    none_for_others: bool = False
    judge_from: str | None = None
    most_decisions: int = 100_000
    families: list[str] = field(default_factory=lambda: list(FAMILIES))
    overlap: float = 0.01
    value: float = 1.0
    threshold: float = 0.0
    temperature: float = 1.0
    floor: float = 0.0
    folds: int = 5
    teach_share: float = 0.5
    gate_share: float = 0.25

    def __post_init__(self) -> None:
        """Refuse a policy that does not exist, and parts that leave nobody to report on."""
        one_of("policy", self.name, POLICIES)
        if self.judge_from is not None:
            iso_time("effects.judge_from", self.judge_from)
        at_least("effects.folds", self.folds, 2)
        at_least("effects.most_decisions", self.most_decisions, 1)
        if self.temperature <= 0 or not 0 <= self.floor < 1:
            raise ConfigError(
                f"effects.temperature={self.temperature} or effects.floor={self.floor} cannot work; "
                "give a temperature above 0 and a floor from 0 to below 1."
            )
        if min(self.teach_share, self.gate_share) <= 0 or self.teach_share + self.gate_share >= 1:
            raise ConfigError(
                f"effects.teach_share={self.teach_share} and effects.gate_share={self.gate_share} leave nobody to "
                "teach, judge or report on; give shares above 0 that sum to less than 1."
            )
