"""What may not be done to whom, and why: every check of consent, rules and contact policy, bit by bit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sintonia.core.arrays import Bools
from sintonia.core.config import ActionConfig, RuleConfig
from sintonia.core.errors import ConfigError
from sintonia.features.sql import Cells, column_names_of, evaluate, present_mask

Bits = NDArray[np.uint64]

CONSENT, POLICY = "consent", "contact policy"
MOST = 64
"""Checks a policy may have: one bit each."""


@dataclass(frozen=True)
class RefusalRule:
    """One reason to refuse: its name, the stage it stands in, and the reason in words."""

    name: str
    stage: str
    because: str


@dataclass
class Refusals:
    """Which checks each customer's actions fail. Column 0, doing nothing, fails none.

    `failed` (n_customers, n_actions) holds one bit a check, the first check being the lowest; `applies` says of each
    check which actions (n_actions,) are put to it.
    """

    failed: Bits
    checks: list[RefusalRule] = field(default_factory=list)
    applies: list[Bools] = field(default_factory=list)

    @classmethod
    def none(cls, n_customers: int, n_actions: int) -> "Refusals":
        """Return refusals in which everything is allowed."""
        return cls(np.zeros((n_customers, n_actions), np.uint64))

    def refuse(self, check: RefusalRule, customers: Bools, actions: Bools) -> None:
        """Refuse these actions to these customers, (n_customers,) or by action (n_customers, n_actions).

        Raises
        ------
        ConfigError
            When a policy has more checks than we can tell apart.
        """
        if len(self.checks) == MOST:
            raise ConfigError(f"The policy makes more than {MOST} checks; leave out some rules or limits.")
        bit = np.uint64(1) << np.uint64(len(self.checks))
        self.checks.append(check)
        self.applies.append(actions)
        for action in np.flatnonzero(actions[1:]) + 1:
            fails = customers if customers.ndim == 1 else customers[:, action]
            self.failed[fails, action] |= bit

    def part(self, rows: slice) -> "Refusals":
        """Return the refusals of customers who follow one another."""
        return Refusals(self.failed[rows], self.checks, self.applies)

    @property
    def allowed(self) -> Bools:
        """What may be done, (n_customers, n_actions)."""
        return np.asarray(self.failed == 0)

    def counts(self) -> dict[str, int]:
        """Return how many (customer, action) pairs each check was the first to refuse.

        With those allowed they add up to all pairs.
        """
        lowest = self.failed & (~self.failed + np.uint64(1))
        return {
            check.name: int(np.count_nonzero(lowest == np.uint64(1) << np.uint64(at)))
            for at, check in enumerate(self.checks)
        }

    def reasons(self, bits: int) -> list[RefusalRule]:
        """Return the checks that a cell of `failed` stands for."""
        return [check for at, check in enumerate(self.checks) if int(bits) >> at & 1]


def numbered(columns: Iterable[NDArray[Any]]) -> NDArray[np.int64]:
    """Return a number for each row, the same for rows that are the same in all the columns.

    Examples
    --------
    >>> numbered([np.array([3, 3, 1]), np.array([0.5, 0.5, 0.5])]).tolist()
    [1, 1, 0]
    """
    number = None
    for column in columns:
        values, code = np.unique(column, return_inverse=True)
        if number is None:
            number = code
        elif len(values) > 1:
            _, number = np.unique(number * len(values) + code, return_inverse=True)
    return np.zeros(0, np.int64) if number is None else number.astype(np.int64)


def rule_names(rules: Mapping[str, RuleConfig], *others: str) -> list[str]:
    """Return what the rules, and other expressions, ask about."""
    asked = [column_names_of(rule.where, "rule") for rule in rules.values()] + [
        column_names_of(text, "rule") for text in others
    ]
    return list(dict.fromkeys(name for some in asked for name in some))


def holds(where: str, facts: Mapping[str, Cells], n_customers: int) -> Bools:
    """Return of whom a rule's condition is true; unknown is not true.

    Examples
    --------
    >>> age = Cells(np.array([20, 17, 0]), np.array([False, False, True]))
    >>> holds("age >= 18", {"age": age}, 3).tolist()
    [True, False, False]
    """
    found = evaluate(where, facts.__getitem__, "rule")
    if found.labels is not None:
        raise ConfigError(f"The rule {where!r} gives a text; write a condition, as {where} = '...'.")
    return np.broadcast_to((found.values != 0) & present_mask(found.missing), n_customers)


def refuse_by_rules(
    refusals: Refusals,
    rules: Mapping[str, RuleConfig],
    stages: Sequence[str],
    actions: Sequence[str],
    facts: Mapping[str, Cells],
) -> None:
    """Refuse what the rules do, stage by stage."""
    for stage in stages:
        for name, rule in rules.items():
            if rule.stage == stage:
                meant = np.array([not rule.actions or action in rule.actions for action in actions])
                because = rule.because or f"only where {rule.where}"
                fails = ~holds(rule.where, facts, len(refusals.failed))
                refusals.refuse(RefusalRule(name, stage, because), fails, meant)


def refuse_without_consent(
    refusals: Refusals, actions: Sequence[ActionConfig | None], consenting: Mapping[str, Bools]
) -> None:
    """Refuse actions that need it to those who did not consent to their channel; silence is no."""
    for channel, agreed in consenting.items():
        meant = np.array([bool(one and one.needs_consent and one.channel == channel) for one in actions])
        if meant.any():
            said = f"no consent to {channel}"
            refusals.refuse(RefusalRule(f"consent_{channel}", CONSENT, said), ~agreed, meant)
