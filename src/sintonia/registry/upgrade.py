"""Registered models of an older workspace, brought to what this version of sintonia writes.

What sintonia itself reads of a model is in the model's own files, whose format they carry. Only MLflow's `MLmodel` must
be rewritten: it names the module by which `mlflow.pyfunc.load_model` loads the model, and that module has moved.
"""

import re
from pathlib import Path

from sintonia.core.paths import WorkspacePaths
from sintonia.registry.runs import LOADER

OLD_LOADERS = ("sintonia.pyfunc",)
_LOADER_LINE = re.compile(rf"^(\s*loader_module: )(?:{'|'.join(map(re.escape, OLD_LOADERS))})$", re.MULTILINE)


def upgrade_loaders(workspace: Path) -> list[Path]:
    """Return the `MLmodel` files in the workspace whose loader was an older one; each now names today's.

    Nothing else in them changes, and no other file: approvals hold, and every version keeps its run. Models on a
    tracking server lie outside the workspace and stay as they are.
    """
    folder = WorkspacePaths(workspace).tracking_files
    upgraded = []
    for path in sorted(folder.rglob("MLmodel")):
        text = path.read_text(encoding="utf-8")
        rewritten = _LOADER_LINE.sub(rf"\g<1>{LOADER}", text)
        if rewritten != text:
            part = path.with_name(f".{path.name}.part")
            part.write_text(rewritten, encoding="utf-8")
            upgraded.append(part.replace(path))
    return upgraded
