"""Tasks: who is eligible at as_of, and the label in (as_of + gap, as_of + gap + horizon]."""

from sintonia.training.tasks.categories import choose_categories
from sintonia.training.tasks.label import choose_positive, label_rows, newest_data
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
    "choose_positive",
    "columns_read",
    "define_label",
    "describe",
    "find_task",
    "label_kinds",
    "label_rows",
    "newest_data",
    "spend_task",
    "task_kind",
]
