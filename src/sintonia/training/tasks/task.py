"""Tasks: the population of each, and the outcome it predicts, in words and in kinds of interaction."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sintonia.core.config import QuestionConfig, TaskConfig
from sintonia.core.config.actions import NEXT_BEST_ACTION as NEXT_BEST_ACTION
from sintonia.core.errors import ConfigError, unknown
from sintonia.core.schema import KINDS
from sintonia.core.timeline import label_span

TaskKind: TypeAlias = Literal["outcome", "policy"]
"""What a task asks: what a customer will do, or what an action changes."""


@dataclass(frozen=True)
class Task:
    """One question about a customer: who is asked about, and what happens or fails to happen to whom.

    A customer is eligible with a visible interaction of an `eligible_kinds` in the last `active_days`, unless a
    later one of an `ending_kinds` ended the relation. A `binary` label says whether an interaction of a
    `label_kinds` falls into the horizon, or, with `absence`, that none does; an `amount` what those cost, in cents.
    An `effect` is what an action changes for whom: it is learned from decisions, and has no kinds of its own.
    `by_category` asks about each customer once a category. `stakes` is what money hangs on the answer, by which
    models are judged too: the spend that follows, or a campaign against the outcome. `from_attribute` takes the label
    from an attribute of the customer as of the same moment. `key_fields` are what a purchase must have.
    """

    name: str
    eligible_kinds: tuple[str, ...]
    label_kinds: tuple[str, ...]
    population: str
    outcome: str
    label: Literal["binary", "amount", "effect"] = "binary"
    absence: bool = False
    ending_kinds: tuple[str, ...] = ()
    by_category: bool = False
    stakes: Literal["spend", "campaign"] | None = None
    from_attribute: bool = False
    key_fields: tuple[str, ...] = ("amount",)

    @property
    def kind(self) -> TaskKind:
        """What trains, checks and shows its models: outcomes are predicted, of effects a policy is learned."""
        return "policy" if self.label == "effect" else "outcome"

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of the interactions that eligibility and label read; no other need be loaded."""
        more = ("amount",) if self.label == "amount" else ("category",) if self.by_category else ()
        return ("customer_id", "occurred_at", "known_at", "known_until", "kind", *more)


BUYERS = "customers who bought in the last {active_days} days"
TASKS = {
    "churn": Task(
        name="churn",
        eligible_kinds=("purchase",),
        label_kinds=("purchase",),
        absence=True,
        population=BUYERS,
        outcome="buys nothing",
        stakes="campaign",
    ),
    "purchase": Task(
        name="purchase",
        eligible_kinds=tuple(kind for kind in KINDS if kind != "send"),
        label_kinds=("purchase",),
        population="customers who did anything in the last {active_days} days",
        outcome="buys",
        stakes="spend",
        key_fields=(),
    ),
    "category": Task(
        name="category",
        eligible_kinds=("purchase",),
        label_kinds=("purchase",),
        population=BUYERS,
        outcome="buys which category",
        by_category=True,
        key_fields=("amount", "category"),
    ),
    "value": Task(
        name="value",
        eligible_kinds=("purchase",),
        label_kinds=("purchase", "return"),
        population=BUYERS,
        outcome="spends how much",
        label="amount",
    ),
    NEXT_BEST_ACTION: Task(
        name=NEXT_BEST_ACTION,
        eligible_kinds=(),
        label_kinds=(),
        population="customers with logged decisions",
        outcome="gains most by which action",
        label="effect",
    ),
}
"""The tasks by name. Being sent something is the brand's doing, so it makes nobody active."""

OUTCOME_TASKS = tuple(name for name, task in TASKS.items() if task.kind == "outcome")
"""The tasks whose models predict what happens to a customer."""

CANCELLATION = Task(
    name="churn",
    eligible_kinds=("purchase", "register"),
    label_kinds=("cancel",),
    population="customers who bought or registered in the last {active_days} days and have not cancelled since",
    outcome="cancels",
    ending_kinds=("cancel",),
    stakes="campaign",
)
"""Churn where a contract says when it ends, as `task.ends_by=cancel` asks for it."""


def task_kind(name: str) -> TaskKind:
    """Return what trains, checks and shows the models of a task; a task of a user's own predicts an outcome.

    Examples
    --------
    >>> task_kind("churn"), task_kind("next_best_action"), task_kind("next_visit")
    ('outcome', 'policy', 'outcome')
    """
    return TASKS[name].kind if name in TASKS else "outcome"


def find_task(config: TaskConfig) -> Task:
    """Return the task of a configuration that asks what happens to whom, one of a user's own included.

    Raises
    ------
    ConfigError
        For a task nobody knows, for the one that asks about decisions, and for a question of a user's own under the
        name of a task that ships.

    Examples
    --------
    >>> question = QuestionConfig(["purchase"], ["visit"], "buyers of the last {active_days} days", "visits")
    >>> find_task(TaskConfig(name="next_visit", question=question)).label_kinds
    ('visit',)
    """
    if config.question is not None:
        return _own_task(config.name, config.question)
    if config.attribute:
        return _label_task(config)
    if config.name not in TASKS:
        raise unknown("task", config.name, OUTCOME_TASKS)
    if task_kind(config.name) != "outcome":
        raise ConfigError(
            f"Task '{config.name}' predicts the effects of actions, not an outcome; "
            f"choose {', '.join(sorted(OUTCOME_TASKS))} here."
        )
    return CANCELLATION if config.name == "churn" and config.ends_by == "cancel" else TASKS[config.name]


def _own_task(name: str, question: QuestionConfig) -> Task:
    if name in TASKS:
        raise ConfigError(f"task.question: '{name}' is a built-in task; choose another name.")
    return Task(
        name=name,
        eligible_kinds=tuple(question.eligible_kinds),
        label_kinds=tuple(question.label_kinds),
        population=question.population,
        outcome=question.outcome,
        label="amount" if question.label == "amount" else "binary",
        absence=question.absence,
        ending_kinds=tuple(question.ending_kinds),
        key_fields=("amount",) if question.label == "amount" else (),
    )


def _label_task(config: TaskConfig) -> Task:
    if config.name in TASKS:
        raise ConfigError(
            f"task.attribute='{config.attribute}': task '{config.name}' reads interactions; give task=label, or a name "
            "of your own."
        )
    return Task(
        name=config.name,
        eligible_kinds=KINDS,
        label_kinds=KINDS,
        population="customers of the table",
        outcome=f"has {config.attribute} {' or '.join(config.positive)}",
        from_attribute=True,
        key_fields=(),
    )


def spend_task(config: TaskConfig) -> Task:
    """Return the question what those whom a task asks about spend in its horizon."""
    task, value = find_task(config), TASKS["value"]
    return replace(task, label="amount", label_kinds=value.label_kinds, absence=False, by_category=False)


def describe(config: TaskConfig) -> tuple[str, str]:
    """Return in words who is asked about and what is predicted.

    Examples
    --------
    >>> describe(TaskConfig(name="churn", active_days=56, horizon_days=28))
    ('customers who bought in the last 56 days', 'buys nothing in the 28 days after the as-of date')
    """
    task = find_task(config)
    if task.from_attribute:
        return task.population, task.outcome
    after = f" that start {config.gap_days} days after" if config.gap_days else " after"
    outcome = f"{task.outcome} in the {config.horizon_days} days{after} the as-of date"
    return task.population.format(active_days=config.active_days), outcome


def define_label(config: TaskConfig) -> str:
    """Return the label's exact definition.

    Examples
    --------
    >>> print(define_label(TaskConfig(name="churn", active_days=56, gap_days=7, horizon_days=28)))
    1 when no interaction of kind purchase falls into (as_of + 7 days, as_of + 35 days], else 0.
    >>> print(define_label(TaskConfig(name="value", active_days=56, horizon_days=28)))
    Cents of the interactions of kind purchase or return in (as_of, as_of + 28 days], at least 0.
    """
    task = find_task(config)
    if task.from_attribute:
        return (
            f"1 when the attribute {config.attribute} is {' or '.join(config.positive)} as of the table's date, "
            "else 0; customers without it do not count."
        )
    start = f"as_of + {config.gap_days} days" if config.gap_days else "as_of"
    span = f"({start}, as_of + {label_span(config).days} days]"
    kinds = " or ".join(task.label_kinds)
    if task.label == "amount":
        return f"Cents of the interactions of kind {kinds} in {span}, at least 0."
    of = " with the row's category" if task.by_category else ""
    return (
        f"1 when {'no' if task.absence else 'an'} interaction of kind {kinds}{of} falls into {span}, else 0."
    )


def label_kinds(config: TaskConfig) -> tuple[str, ...]:
    """Return the kinds of interaction the label looks at."""
    return find_task(config).label_kinds


def columns_read(config: TaskConfig) -> tuple[str, ...]:
    """Return the columns of the interactions that eligibility and label read; no other need be loaded."""
    return find_task(config).columns_read
