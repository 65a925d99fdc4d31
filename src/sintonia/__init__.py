"""sintonia: from every interaction to the next best action.

`sintonia.score(frame)` scores a frame of customers in a notebook. Nothing heavy is imported here; ask for the module
you need, e.g. ``from sintonia import pipelines``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401  whatever it is
    """Return what notebooks call, which costs seconds to import and is for them alone."""
    if name == "score":
        return import_module("sintonia.notebook").score
    raise AttributeError(f"module 'sintonia' has no attribute '{name}'")
