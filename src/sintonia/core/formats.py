"""Which format a workspace has, and what this version of sintonia can read.

Three things carry a format number of their own: the workspace (`workspace.json`), its store (`store/current.json`) and
every model (`model.json`). Without a number they were written before there were numbers, which is format 1.

==========  ======  =================================================================================================
workspace   1       no `workspace.json`; registered models name MLflow's loader by the module `sintonia.pyfunc`
workspace   2       MLflow's loader is `sintonia.registry.pyfunc`
store       1       no `format` in its metadata
store       2       `format` in its metadata; the tables are those of format 1
store       3       interactions have the column `known_until`, which is null in every row of earlier formats
==========  ======  =================================================================================================

Older formats are read as they are; `sintonia upgrade` brings a workspace to the newest. Newer ones are refused.
"""

import json
from pathlib import Path
from typing import Any

from sintonia import __version__
from sintonia.core.errors import UnsupportedFormatError
from sintonia.core.paths import WorkspacePaths

WORKSPACE_FORMAT = 2
STORE_FORMAT = 3


def check_format(what: str, number: object, newest: int) -> int:
    """Return the format number.

    Raises
    ------
    UnsupportedFormatError
        When it is not a number from 1 to `newest`: a newer version of sintonia wrote it.

    Examples
    --------
    >>> check_format("The store in 'shop'", 1, newest=2)
    1
    """
    if type(number) is int and 1 <= number <= newest:
        return number
    readable = "1" if newest == 1 else f"1 to {newest}"
    raise UnsupportedFormatError(
        f"{what} has format {number}; sintonia {__version__} reads {readable}. Use the version of sintonia that wrote "
        "it, or a newer one."
    )


def workspace_format(workspace: Path) -> int:
    """Return the format of a workspace: 1 where it has no `workspace.json`.

    Raises
    ------
    UnsupportedFormatError
        When a newer version of sintonia wrote it.
    """
    manifest = WorkspacePaths(workspace).manifest
    if not manifest.is_file():
        return 1
    document: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return check_format(f"The workspace '{workspace}'", document.get("format"), WORKSPACE_FORMAT)


def write_workspace_format(workspace: Path) -> Path:
    """Return the file that now says the workspace has the newest format; it is replaced in one step."""
    manifest = WorkspacePaths(workspace).manifest
    manifest.parent.mkdir(parents=True, exist_ok=True)
    part = manifest.with_name(f".{manifest.name}.part")
    document = {"format": WORKSPACE_FORMAT, "written_by": f"sintonia {__version__}"}
    part.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return part.replace(manifest)


def prepare_workspace(workspace: Path) -> int:
    """Return the format of a workspace that is about to be written to; a new one gets the newest.

    A workspace of an older format keeps it until `sintonia upgrade`: a build replaces its store, but not its models.

    Raises
    ------
    UnsupportedFormatError
        When a newer version of sintonia wrote it.
    """
    paths = WorkspacePaths(workspace)
    used = any(path.exists() for path in (paths.manifest, paths.store_pointer, paths.tracking_database))
    if not used:
        write_workspace_format(workspace)
    return workspace_format(workspace)
