"""Which steps the tasks of each kind take."""

from sintonia.config import TaskConfig
from sintonia.pipelines import outcomes, policies
from sintonia.pipelines.kind import TaskSteps
from sintonia.tasks import TaskKind, task_kind

STEPS: dict[TaskKind, TaskSteps] = {"outcome": outcomes.STEPS, "policy": policies.STEPS}


def steps_of(task: TaskConfig) -> TaskSteps:
    """Return the steps of a task.

    Raises
    ------
    ConfigError
        For a task nobody knows.
    """
    return STEPS[task_kind(task.name)]
