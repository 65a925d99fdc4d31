"""Tasks: who is eligible at as_of, and the label in (as_of + gap, as_of + gap + horizon]."""

from sintonia.training.tasks.categories import choose_categories
from sintonia.training.tasks.label import label_rows
from sintonia.training.tasks.task import (
    NEXT_BEST_ACTION,
    OUTCOME_TASKS,
    TASKS,
    Task,
    TaskKind,
    columns_read,
    define_label,
    describe,
    find_task,
    label_kinds,
    spend_task,
    task_kind,
)

__all__ = [
    "NEXT_BEST_ACTION",
    "OUTCOME_TASKS",
    "TASKS",
    "Task",
    "TaskKind",
    "choose_categories",
    "columns_read",
    "define_label",
    "describe",
    "find_task",
    "label_kinds",
    "label_rows",
    "spend_task",
    "task_kind",
]
