"""A workspace that an older version wrote, brought to today's formats, and what is reported of it."""

from collections.abc import Sequence
from pathlib import Path

from sintonia.api.pipelines.figures import Figures, file_lines, texts
from sintonia.core.config import UpgradeSettings
from sintonia.core.errors import NotBuiltError
from sintonia.core.formats import STORE_FORMAT, WORKSPACE_FORMAT, workspace_format, write_workspace_format
from sintonia.core.paths import WorkspacePaths
from sintonia.data.store import upgrade_store
from sintonia.registry.upgrade import upgrade_loaders


def upgrade(settings: UpgradeSettings) -> Figures:
    """Return what was upgraded of a workspace that an older version wrote; done again, it changes nothing.

    The workspace's own number comes last: the next upgrade finishes one that was interrupted.

    Raises
    ------
    NotBuiltError
        When there is no workspace.
    UnsupportedFormatError
        When a newer version of sintonia wrote the workspace or its store.
    """
    workspace = settings.paths.root
    if not workspace.is_dir():
        raise NotBuiltError(
            f"No workspace in '{workspace}'; run `sintonia build workspace={workspace}` first."
        )
    before = workspace_format(workspace)
    store_before = upgrade_store(workspace)
    loaders = upgrade_loaders(workspace)
    manifest = write_workspace_format(workspace)
    return upgrade_figures(workspace, before, store_before, loaders, manifest)


def upgrade_figures(
    workspace: Path, before: int, store_before: int | None, loaders: Sequence[Path], manifest: Path
) -> Figures:
    """Return which formats the workspace and its store had (None without a store) and have now, and what was written.

    `loaders` are the registered models' `MLmodel` files that were rewritten.
    """
    changes = []
    if before != WORKSPACE_FORMAT:
        changes.append(f"workspace from format {before} to {WORKSPACE_FORMAT}")
    if store_before not in (None, STORE_FORMAT):
        changes.append(f"store from format {store_before} to {STORE_FORMAT}")
    if loaders:
        changes.append(f"{len(loaders):,} registered models to MLflow's loader of today")
    pointer = WorkspacePaths(workspace).store_pointer
    files = [*([pointer] if store_before not in (None, STORE_FORMAT) else []), *loaders]
    files += [manifest] if before != WORKSPACE_FORMAT else []
    say = [f"Upgraded {workspace}: {change}" for change in changes]
    say += file_lines(files) if files else [f"{workspace} has format {before} already; nothing to upgrade"]
    return {
        "format_before": before,
        "format": WORKSPACE_FORMAT,
        "store_format_before": store_before,
        "store_format": None if store_before is None else STORE_FORMAT,
        "loaders": len(loaders),
        "files": texts(files),
        "say": say,
    }
