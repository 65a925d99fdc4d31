"""Where things lie: nothing of a workspace lies outside it, and no two things lie in one place."""

import ast
import re
from pathlib import Path

from sintonia.core.config import BuildSettings
from sintonia.core.paths import StorePaths, WorkspacePaths

SOURCE = Path(__file__).resolve().parents[2] / "src" / "sintonia"


def _named(paths: object) -> list[Path]:
    """The paths that properties name."""
    kind = type(paths)
    return [getattr(paths, name) for name, value in vars(kind).items() if isinstance(value, property)]


def test_everything_lies_in_the_workspace_under_a_path_of_its_own():
    for paths, folder in ((WorkspacePaths(Path("shop")), "shop"), (StorePaths(Path("v-1")), "v-1")):
        named = _named(paths)
        assert len(named) > 5
        assert len(set(named)) == len(named)
        assert {path.parts[0] for path in named} == {folder}


def test_settings_name_the_files_of_their_workspace():
    assert BuildSettings(workspace="shop").paths == WorkspacePaths(Path("shop"))


def test_what_killed_runs_leave_behind_is_found_and_nothing_else(tmp_path):
    paths = WorkspacePaths(tmp_path)
    for name in (".scratch-a", ".scoring-b", ".scoring-copy-c", "scores", "store/v-1", "store/current"):
        (tmp_path / name).mkdir(parents=True)
    assert [path.name for path in paths.scratch_folders()] == [".scratch-a"]
    assert {path.name for path in paths.checkpoints()} == {".scoring-b", ".scoring-copy-c"}
    assert [path.name for path in paths.store_versions()] == ["v-1"]
    assert paths.checkpoint("b").is_dir()


def test_no_other_module_spells_the_name_of_a_workspace_file():
    names = {path.name for path in _named(WorkspacePaths(Path("shop"))) if path.suffix}
    assert names >= {"mlflow.db", "erased.json", "current.json", "effects.parquet"}
    spelled = [
        f"{file.relative_to(SOURCE)}: {node.value}"
        for file in sorted(SOURCE.rglob("*.py"))
        if file.name != "paths.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
    ]
    # A checkpoint of a list has a file of customers of its own, and each silo's truth is compared under its own name.
    assert [text for text in spelled if not re.search(r"customers\.parquet|records\.parquet", text)] == []
