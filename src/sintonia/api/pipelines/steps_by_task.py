"""Which steps the tasks of each kind take."""

from sintonia.api.pipelines import outcomes, policies
from sintonia.api.pipelines.task_steps import TaskSteps
from sintonia.core.config import TaskConfig
from sintonia.training.tasks import TaskKind, task_kind

STEPS: dict[TaskKind, TaskSteps] = {"outcome": outcomes.STEPS, "policy": policies.STEPS}


def steps_of(task: TaskConfig) -> TaskSteps:
    """Return the steps of a task.

    Raises
    ------
    ConfigError
        For an unknown task.
    """
    return STEPS[task_kind(task.name)]
