"""The list that was asked for: a file, a table of PostgreSQL, or everybody of whom a condition is true."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from sintonia.core.config import ScoreSettings
from sintonia.core.engine import connect
from sintonia.core.errors import ConfigError
from sintonia.data.store import open_store
from sintonia.serving.lists.postgres import copy_table, is_table, table_name
from sintonia.serving.lists.read import CustomerList, read_list
from sintonia.serving.lists.segment import segment_list, slug
from sintonia.serving.lists.spool import copies


def open_list(stack: ExitStack, settings: ScoreSettings) -> tuple[CustomerList, ScoreSettings]:
    """Return the list, and the settings with a place for what is scored; what had to be copied goes with the stack.

    Raises
    ------
    InputError
        When it cannot be read, or has no rows.
    ConfigError
        When none is asked for, or the segment is no condition over the golden record.
    """
    workspace = settings.paths.root
    if not settings.list and not settings.segment:
        raise ConfigError(
            "score needs a list of customers; write list=customers.csv, or segment='tenure_days > 90'."
        )
    if settings.segment is None and not is_table(settings.list):
        return read_list(Path(settings.list), settings.limit), settings
    if settings.segment is None:
        found = copy_table(settings.list, stack.enter_context(copies(workspace)))
        name = table_name(settings.list)
    else:
        store = open_store(workspace)
        with connect(settings.engine, workspace) as connection:
            folder = stack.enter_context(copies(workspace))
            found = segment_list(connection, store, settings.segment, settings.as_of, folder)
        name = f"segment-{slug(settings.segment)}"
    part = "scored" if settings.limit is None else "preview"
    named = replace(
        found, limit=settings.limit, path=found.path.rename(found.path.with_name(f"{name}.parquet"))
    )
    return named, replace(settings, out=settings.out or str(settings.paths.scored_list(f"{name}-{part}")))
