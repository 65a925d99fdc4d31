"""sintonia: from every interaction to the next best action.

Nothing heavy is imported here; ask for the module you need, e.g. ``from sintonia import pipelines``.
"""

__version__ = "0.1.0"
