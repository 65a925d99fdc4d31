"""Where a run keeps what is finished: a folder named by what is scored, so that a killed run goes on where it was.

Files appear whole or not at all, and the folder goes when the list is written. It holds customer ids and, of a table
or a segment, the rows themselves: `sintonia forget` removes it.
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

FORGOTTEN_AFTER_DAYS = 7


@dataclass(frozen=True)
class Spool:
    """The folder of one run, and what of it is finished."""

    folder: Path

    def path(self, name: str) -> Path:
        """Return where a file of the run lies when it is finished."""
        return self.folder / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield where to write a file; it is under its name when the block ends well."""
        with whole(self.folder / name) as part:
            yield part

    def document(self, name: str) -> Any:  # noqa: ANN401  any JSON value
        """Return a finished JSON file, None when it is not."""
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def keep(self, name: str, value: object) -> None:
        """Finish a JSON file."""
        with self.writing(name) as part:
            part.write_text(json.dumps(value), encoding="utf-8")

    def remove(self) -> None:
        """Remove the folder: the list is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_spool(workspace: Path, told: object) -> Spool:
    """Return the folder of a run that is told by these values, made when there is none; old ones of others go."""
    name = hashlib.sha256(repr(told).encode()).hexdigest()[:20]
    limit = time.time() - FORGOTTEN_AFTER_DAYS * 86_400
    paths = WorkspacePaths(workspace)
    folder = paths.checkpoint(name)
    for other in paths.checkpoints():
        if other != folder and other.stat().st_mtime < limit:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return Spool(folder)


@contextmanager
def copies(workspace: Path) -> Iterator[Path]:
    """Yield a folder for what has to be copied before it can be read twice; it is gone when the block ends."""
    folder = WorkspacePaths(workspace).checkpoint(f"copy-{uuid4().hex[:12]}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield where to write a file that appears under its name when the block ends well, whole and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
