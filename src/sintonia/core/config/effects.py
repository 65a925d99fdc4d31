"""The group `effects`: the reward of an action, its value, and how effects are learned."""

from dataclasses import dataclass, field

from sintonia.core.config.checks import at_least, iso_time, one_of
from sintonia.core.errors import ConfigError

REWARDS = ("converted", "spend", "margin")
"""The rewards of a decision."""


@dataclass(frozen=True)
class RewardConfig:
    """The reward of a decision, in [decided_at, decided_at + horizon), whether or not the message was sent.

    `converted` is 1 if an interaction of `kinds` follows, `spend` the amount of purchases less returns, `margin` the
    part of it that remains when the goods cost all but `margin_share` of the list price. `cap` bounds the reward; with
    `own_discount` payouts for the decision's own action (redemptions that name it) are subtracted. Without a horizon
    the log's own `reward_until` applies.
    """

    name: str = "spend"
    kinds: list[str] = field(default_factory=lambda: ["purchase"])
    margin_share: float = 0.5
    cap: float | None = None
    own_discount: bool = False
    horizon_days: int = 0
    horizon_hours: int = 0

    def __post_init__(self) -> None:
        """Refuse an unknown reward and a negative horizon."""
        one_of("reward", self.name, REWARDS)
        at_least("effects.reward.horizon_days", self.horizon_days, 0)
        at_least("effects.reward.horizon_hours", self.horizon_hours, 0)


FAMILIES = ("rfm", "kinds", "trust", "motives", "affinity", "response", "profile", "prior")
"""Families of features for effects; rhythm, clock and journeys take time and did not improve them."""

POLICIES = ("best_gain", "sure_gain", "softmax", "thompson")
"""How a personalised policy chooses actions by their gains."""


@dataclass(frozen=True)
class EffectsConfig:
    """How effects are learned and become a policy: value of the reward, threshold, exploration, sample splits.

    `threshold` is the gain an action must exceed, `temperature` the gain that makes softmax e times likelier, `floor`
    the least probability of every eligible action. Of the customers, `teach_share` are for training and `gate_share`
    for the gate of the personalised policy; the others report, on decisions from `judge_from` on, or on the newest
    fifth of the rounds. With `none_for_others`, known customers that are not in a round's log had `none`. A log without
    propensities requires a probability of at least `overlap` for every action in nine decisions of ten. About the
    newest `most_decisions` are used, with those of the configured feature families that are named in `families`.
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
        """Refuse an unknown policy, and sample splits that leave no customers to report on."""
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
