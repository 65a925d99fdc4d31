"""Tasks: who is eligible at as_of, and the label in (as_of + gap, as_of + gap + horizon]."""

from sintonia.tasks.label import (
    TASKS,
    Task,
    columns_read,
    define_label,
    describe,
    find_task,
    label_kinds,
    label_rows,
)

__all__ = [
    "TASKS",
    "Task",
    "columns_read",
    "define_label",
    "describe",
    "find_task",
    "label_kinds",
    "label_rows",
]
