"""Checkpoints: a folder of finished parts, named by what is scored, from which a killed run resumes.

Files are written atomically, and the folder is removed when the list is written. It contains customer ids and, for a
table or a segment, the rows themselves; `sintonia forget` removes it.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sintonia.core.paths import WorkspacePaths

KEPT_FOR_DAYS = 7


@dataclass(frozen=True)
class Checkpoint:
    """The folder of one run with its finished files."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return the path of a file of the run."""
        return self.folder / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a path to write to; the file gets its name when the block ends without an error."""
        with atomic_write(self.folder / name) as part:
            yield part

    def read_json(self, name: str) -> Any:  # noqa: ANN401  any JSON value
        """Return the content of a finished JSON file, None if there is none."""
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write_json(self, name: str, value: object) -> None:
        """Write a JSON file atomically."""
        with self.writing(name) as part:
            part.write_text(json.dumps(value), encoding="utf-8")

    def remove(self) -> None:
        """Remove the folder once the list is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_checkpoint(workspace: Path, identity: object) -> Checkpoint:
    """Return the folder of the run with this identity, created if missing; other runs' old folders are removed."""
    name = hashlib.sha256(repr(identity).encode()).hexdigest()[:20]
    limit = time.time() - KEPT_FOR_DAYS * 86_400
    paths = WorkspacePaths(workspace)
    folder = paths.checkpoint(name)
    for folder_of_other_run in paths.checkpoints():
        if folder_of_other_run != folder and folder_of_other_run.stat().st_mtime < limit:
            shutil.rmtree(folder_of_other_run, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return Checkpoint(folder)


@contextmanager
def temporary_folder(workspace: Path) -> Iterator[Path]:
    """Yield a folder for copies of what cannot be read twice; it is removed when the block ends."""
    folder = WorkspacePaths(workspace).checkpoint(f"copy-{uuid4().hex[:12]}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file gets its name, complete and on disk, when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
