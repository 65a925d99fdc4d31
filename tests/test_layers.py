"""Data flows one way: a module imports only from modules above it in this list."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from subprocess import run

SOURCE = Path(__file__).resolve().parents[1] / "src" / "sintonia"
FLOW = """
errors own_code arrays intervals schema config provenance progress pages engine compiled memory timeline synthetic
sources consent identity interactions pseudonyms erasure behaviour features held tasks sufficiency frames
training_set reference profit metrics propensity_metrics amount_metrics estimates segments calibration forest
model tuning baselines evaluation check uplift saved_models predictions runs registry run_files comparison pyfunc drift
expectation scoring decision explain attributes explained_sample what_if stability drift_report
effect_contributions reasons review approval gate policy_gate promotion evidence lists summaries pipelines cli
api __main__
"""
LAYERS = FLOW.split()
HEAVY = {
    "duckdb",
    "hydra",
    "lightgbm",
    "mlflow",
    "numpy",
    "omegaconf",
    "pandas",
    "pyarrow",
    "scipy",
    "shap",
    "sklearn",
}


def _imports(path: Path) -> Iterator[str]:
    """The dotted names a file imports when it runs; what only a type checker reads does not count."""
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        nodes += ast.iter_child_nodes(node)


@cache
def _edges() -> list[tuple[str, str, str]]:
    """(file, its layer, what it imports) of the whole package."""
    files = [path.relative_to(SOURCE) for path in sorted(SOURCE.rglob("*.py"))]
    return [
        (str(file), file.parts[0].removesuffix(".py"), name)
        for file in files
        for name in _imports(SOURCE / file)
    ]


def test_every_module_has_its_place_in_the_list():
    modules = ({layer for _, layer, _ in _edges()} | {path.stem for path in SOURCE.glob("*.py")}) - {
        "__init__"
    }
    assert modules <= set(LAYERS)


def test_a_module_imports_only_from_modules_above_it():
    ours = [
        (path, layer, name.split(".")[1]) for path, layer, name in _edges() if name.startswith("sintonia.")
    ]
    upward = [
        f"{path} imports {other}"
        for path, layer, other in ours
        if other in LAYERS and other != layer and LAYERS.index(other) > LAYERS.index(layer)
    ]
    assert upward == []


def test_features_and_tasks_never_import_each_other():
    ours = {(layer, name.split(".")[1]) for _, layer, name in _edges() if name.startswith("sintonia.")}
    assert not {("features", "tasks"), ("tasks", "features")} & ours


def test_only_the_composition_of_settings_imports_hydra():
    users = {file for file, _, name in _edges() if name.split(".")[0] in ("hydra", "omegaconf")}
    assert users == {"config/compose.py"}


def test_nothing_imports_what_hydra_keeps_to_itself():
    names = {name for _, _, name in _edges() if name.startswith(("hydra.", "unittest"))}
    assert not {name for name in names if "._" in name or name.startswith("unittest")}


def test_the_command_line_loads_nothing_heavy_until_a_verb_runs():
    code = "import sys, sintonia.cli, sintonia.cli.manual, sintonia.cli.completion; print(*sys.modules)"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)
