"""Which actions a customer may get: consent, rules by stage, contact policy, unknown effects; and the reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from sintonia.core.arrays import Bools
from sintonia.core.config import NONE, ActionConfig, RuleConfig
from sintonia.core.config.engagement import STAGES, ContactRules, EligibilityRules
from sintonia.core.errors import ConfigError
from sintonia.data.consent import consents
from sintonia.features.sql import Cells, column_names_of, evaluate, present_mask
from sintonia.serving.decisions.contacts import over_limit, paused
from sintonia.serving.decisions.facts import OPEN_COMPLAINT, is_among
from sintonia.serving.decisions.timing import SendHours

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


Bits = NDArray[np.uint64]

CONSENT, POLICY = "consent", "contact policy"
MAX_CHECKS = 64
"""Checks a policy may have: one bit each."""


@dataclass(frozen=True)
class RefusalRule:
    """A check that can refuse: its name, its stage, and the reason it gives."""

    name: str
    stage: str
    because: str


@dataclass
class Refusals:
    """Which checks each customer's actions fail. Column 0, doing nothing, fails none.

    `failed` (n_customers, n_actions) has one bit a check, the first check being the lowest; `applies` has for each
    check the actions (n_actions,) that it applies to.
    """

    failed: Bits
    checks: list[RefusalRule] = field(default_factory=list)
    applies: list[Bools] = field(default_factory=list)

    @classmethod
    def none(cls, n_customers: int, n_actions: int) -> "Refusals":
        """Return refusals with everything allowed."""
        return cls(np.zeros((n_customers, n_actions), np.uint64))

    def refuse(self, check: RefusalRule, customers: Bools, actions: Bools) -> None:
        """Refuse these actions to these customers, (n_customers,) or by action (n_customers, n_actions).

        Raises
        ------
        ConfigError
            When there are more checks than bits.
        """
        if len(self.checks) == MAX_CHECKS:
            raise ConfigError(
                f"The policy makes more than {MAX_CHECKS} checks; leave out some rules or limits."
            )
        bit = np.uint64(1) << np.uint64(len(self.checks))
        self.checks.append(check)
        self.applies.append(actions)
        for action in np.flatnonzero(actions[1:]) + 1:
            fails = customers if customers.ndim == 1 else customers[:, action]
            self.failed[fails, action] |= bit

    def part(self, rows: slice) -> "Refusals":
        """Return the refusals of consecutive customers."""
        return Refusals(self.failed[rows], self.checks, self.applies)

    @property
    def allowed(self) -> Bools:
        """Which actions are allowed, (n_customers, n_actions)."""
        return np.asarray(self.failed == 0)

    def counts(self) -> dict[str, int]:
        """Return the number of (customer, action) pairs that each check was the first to refuse.

        Together with the allowed pairs they add up to all pairs.
        """
        lowest = self.failed & (~self.failed + np.uint64(1))
        return {
            check.name: int(np.count_nonzero(lowest == np.uint64(1) << np.uint64(at)))
            for at, check in enumerate(self.checks)
        }

    def reasons(self, bits: int) -> list[RefusalRule]:
        """Return the checks whose bits are set in a cell of `failed`."""
        return [check for at, check in enumerate(self.checks) if int(bits) >> at & 1]


def names_in_rules(rules: Mapping[str, RuleConfig], *expressions: str) -> list[str]:
    """Return the names used in rules and other expressions."""
    names_by_rule = [column_names_of(rule.where, "rule") for rule in rules.values()] + [
        column_names_of(text, "rule") for text in expressions
    ]
    return list(dict.fromkeys(name for names_of_rule in names_by_rule for name in names_of_rule))


def condition_holds(where: str, facts: Mapping[str, Cells], n_customers: int) -> Bools:
    """Return for which customers a condition is true; unknown is not true.

    Examples
    --------
    >>> age = Cells(np.array([20, 17, 0]), np.array([False, False, True]))
    >>> condition_holds("age >= 18", {"age": age}, 3).tolist()
    [True, False, False]
    """
    result = evaluate(where, facts.__getitem__, "rule")
    if result.labels is not None:
        raise ConfigError(f"The rule {where!r} gives a text; write a condition, as {where} = '...'.")
    return np.broadcast_to((result.values != 0) & present_mask(result.missing), n_customers)


def refuse_by_rules(
    refusals: Refusals,
    rules: Mapping[str, RuleConfig],
    stages: Sequence[str],
    actions: Sequence[str],
    facts: Mapping[str, Cells],
) -> None:
    """Refuse actions by the rules, stage by stage."""
    for stage in stages:
        for name, rule in rules.items():
            if rule.stage == stage:
                applies = np.array([not rule.actions or action in rule.actions for action in actions])
                because = rule.because or f"only where {rule.where}"
                fails = ~condition_holds(rule.where, facts, len(refusals.failed))
                refusals.refuse(RefusalRule(name, stage, because), fails, applies)


def refuse_without_consent(
    refusals: Refusals, actions: Sequence[ActionConfig | None], consenting: Mapping[str, Bools]
) -> None:
    """Refuse actions that require consent to customers without consent to the channel; no answer is no consent."""
    for channel, agreed in consenting.items():
        applies = np.array(
            [bool(action and action.needs_consent and action.channel == channel) for action in actions]
        )
        if applies.any():
            because = f"no consent to {channel}"
            refusals.refuse(RefusalRule(f"consent_{channel}", CONSENT, because), ~agreed, applies)


def check_eligibility(
    connection: "duckdb.DuckDBPyConnection",
    configured: Mapping[str, ActionConfig],
    eligibility: EligibilityRules,
    contacts: ContactRules,
    ids: "pa.Array",
    facts: Mapping[str, Cells],
    decided_at: datetime,
) -> Refusals:
    """Return the refusals by consent, rules and contact policy; `connection` has the tables of `open_tables`."""
    names, actions = [NONE, *configured], [None, *configured.values()]
    refusals = Refusals.none(len(ids), len(names))
    consent_rows = consents(connection, decided_at - timedelta(microseconds=1))
    agreed = consent_rows.filter(consent_rows["allowed"])
    channels = dict.fromkeys(action.channel for action in configured.values())
    by_channel = {name: agreed.filter(pc.equal(agreed["channel"], name))["customer_id"] for name in channels}
    consenting = {
        name: is_among(ids, customers_of_channel.combine_chunks())
        for name, customers_of_channel in by_channel.items()
    }
    refuse_without_consent(refusals, actions, consenting)
    refuse_by_rules(refusals, eligibility.rules, STAGES, names, facts)
    for name, limit in contacts.limits.items():
        is_at_limit = is_among(ids, over_limit(connection, limit, decided_at, contacts.time_zone))
        refusals.refuse(_contact_rule(name), is_at_limit, _actions_on_channel(actions, limit.channel))
    for name, pause in contacts.pauses.items():
        is_paused = is_among(ids, paused(connection, pause, decided_at))
        refusals.refuse(_contact_rule(name), is_paused, _actions_on_channel(actions, pause.channel))
    if eligibility.complaint_stops_selling:
        sells = np.array([action is not None and action.selling for action in actions])
        complaint_rule = RefusalRule("open_complaint", POLICY, "a complaint is open")
        refusals.refuse(complaint_rule, np.asarray(facts[OPEN_COMPLAINT].values, np.bool_), sells)
    return refusals


def refuse_unknown(
    refusals: Refusals, configured: Mapping[str, ActionConfig], effects: NDArray[np.float32], hours: SendHours
) -> None:
    """Refuse actions without a known effect, and those without an allowed hour in time."""
    all_actions = np.arange(effects.shape[1]) > 0
    refusals.refuse(
        RefusalRule("no_effect", "arbitration", "its effect is not known"), np.isnan(effects), all_actions
    )
    uses = [hours.uses[action.channel] for action in configured.values()]
    has_no_hour = [np.zeros(len(effects), np.bool_), *(~hours.reachable(use) for use in uses)]
    refusals.refuse(
        RefusalRule("no_hour", "timing", "no allowed hour comes in time"),
        np.column_stack(has_no_hour),
        all_actions,
    )


def _contact_rule(name: str) -> RefusalRule:
    """Return a check of the contact policy."""
    return RefusalRule(name, POLICY, name.replace("_", " "))


def _actions_on_channel(actions: Sequence[ActionConfig | None], channel: str | None) -> Bools:
    """Return which actions are on the channel, all of them for any channel."""
    return np.array([action is not None and channel in (None, action.channel) for action in actions])
