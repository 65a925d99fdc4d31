"""The house: wings in one direction. A wing imports only from wings before it, and so do the rooms of three wings.

Every module has a test file at its place under `tests/`, or is named in `TESTED_ELSEWHERE` with where it is tested.
"""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from subprocess import run

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "sintonia"
WINGS = [
    "core", "synthetic", "data", "features", "training", "explain", "evaluation", "uplift", "registry", "serving",
    "review", "api", "cli",
]  # fmt: skip
ROOMS = {
    "data": ["sources", "consent", "identity", "store", "privacy"],
    "features": [
        "combine",
        "measures",
        "sql",
        "kernel",
        "history",
        "clv",
        "fitted",
        "families",
        "fitting",
        "table",
    ],
    "serving": ["scoring", "expectation", "decisions", "lists"],
}
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
TESTED_ELSEWHERE: dict[str, str] = {
    "api/frames.py": "api/test_features.py",
    "api/pipelines/checking.py": "api/test_pipelines.py",
    "api/pipelines/demonstration.py": "api/test_pipelines.py",
    "api/pipelines/figures.py": "api/test_pipelines.py",
    "api/pipelines/outcomes.py": "api/test_pipelines.py",
    "api/pipelines/policies.py": "uplift/test_next_best_action.py",
    "api/pipelines/reviewing.py": "api/test_pipelines.py",
    "api/pipelines/serving.py": "serving/lists/test_run.py",
    "api/pipelines/steps_by_task.py": "api/test_pipelines.py",
    "api/pipelines/task_steps.py": "api/test_pipelines.py",
    "api/pipelines/training.py": "api/test_pipelines.py",
    "cli/figures.py": "cli/test_cli.py",
    "cli/runs.py": "cli/test_cli.py",
    "core/arrays.py": "core/test_intervals.py",
    "core/config/actions.py": "core/config/test_engagement.py",
    "core/config/checks.py": "core/config/test_config.py",
    "core/config/data.py": "core/config/test_config.py",
    "core/config/effects.py": "core/config/test_config.py",
    "core/config/features.py": "core/config/test_config.py",
    "core/config/learning.py": "core/config/test_config.py",
    "core/config/verbs.py": "core/config/test_config.py",
    "core/errors.py": "cli/test_cli.py",
    "core/jit.py": "features/kernel",
    "core/schema.py": "data/store",
    "data/identity/kernels.py": "data/identity/test_linkage.py",
    "data/identity/sightings.py": "data/identity/test_crosswalk.py",
    "data/privacy/person.py": "data/privacy/test_forget.py",
    "core/visibility.py": "data/store/test_threads.py",
    "data/sources/encodings.py": "data/sources/test_reader.py",
    "data/sources/judge.py": "data/sources/test_times.py",
    "data/sources/money.py": "data/sources/test_amounts.py",
    "data/sources/values.py": "data/sources/test_amounts.py",
    "data/store/write.py": "data/store/test_store.py",
    "evaluation/leakage/moments.py": "evaluation/leakage/test_leaks.py",
    "evaluation/leakage/report.py": "evaluation/leakage/test_leaks.py",
    "explain/reasons/sentences.py": "explain/reasons/test_writer.py",
    "features/clv/bg_nbd.py": "features/clv/test_coming_back.py",
    "features/clv/maximum_likelihood.py": "features/clv/test_coming_back.py",
    "features/clv/pareto_nbd.py": "features/clv/test_coming_back.py",
    "features/families/channel_mix.py": "features/test_families.py",
    "features/families/kinds.py": "features/test_families.py",
    "features/families/rfm.py": "features/test_families.py",
    "features/families/row_category.py": "training/test_dataset.py",
    "features/kernel/columns.py": "features/kernel/test_plan.py",
    "features/kernel/filters.py": "features/kernel/test_plan.py",
    "features/kernel/histories.py": "features/kernel/test_compute.py",
    "features/kernel/in_time.py": "features/kernel/test_compute.py",
    "features/kernel/loops.py": "features/kernel/test_compute.py",
    "features/kernel/scans.py": "features/kernel/test_compute.py",
    "features/kernel/sorting.py": "features/kernel/test_order.py",
    "features/kernel/steps.py": "features/kernel/test_compute.py",
    "features/kernel/terms.py": "features/kernel/test_plan.py",
    "registry/comparison.py": "api/test_pipelines.py",
    "registry/models.py": "registry/test_promotion.py",
    "registry/runs.py": "api/test_pipelines.py",
    "registry/tracking.py": "registry/test_promotion.py",
    "registry/upgrade.py": "registry/test_pyfunc.py",
    "review/charts.py": "review/test_page.py",
    "review/data.py": "review/test_page.py",
    "review/evidence/outcomes.py": "api/test_pipelines.py",
    "review/evidence/policies.py": "uplift/test_next_best_action.py",
    "review/evidence/training_result.py": "api/test_pipelines.py",
    "review/texts.py": "review/test_page.py",
    "serving/decisions/facts.py": "serving/decisions/test_decide.py",
    "serving/decisions/kernels.py": "serving/decisions/test_allocation.py",
    "serving/decisions/rounds.py": "serving/decisions/test_decide.py",
    "serving/lists/cells.py": "data/sources/test_text.py",
    "serving/lists/checkpoint.py": "serving/lists/test_kill.py",
    "serving/lists/chunks.py": "serving/lists/test_run.py",
    "serving/lists/output_columns.py": "serving/lists/test_run.py",
    "serving/lists/read.py": "serving/lists/test_hostile.py",
    "synthetic/actions.py": "synthetic/test_campaigns.py",
    "synthetic/catalogue.py": "synthetic/test_store.py",
    "synthetic/files.py": "synthetic/test_simulate.py",
    "synthetic/people.py": "synthetic/test_crm.py",
    "synthetic/world.py": "synthetic/test_simulate.py",
    "training/baselines.py": "training/models/test_outcome_model.py",
    "training/forest/engine.py": "training/test_forest.py",
    "training/forest/explain_kernels.py": "training/test_forest.py",
    "training/forest/reading.py": "training/test_forest.py",
    "training/forest/score_kernels.py": "training/test_forest.py",
    "training/forest/tables.py": "training/test_forest.py",
    "training/models/folds.py": "training/test_tuning.py",
    "training/models/lightgbm_model.py": "training/models/test_outcome_model.py",
    "training/models/protocol.py": "training/models/test_outcome_model.py",
    "training/tasks/categories.py": "training/tasks/test_label.py",
    "uplift/dataset.py": "uplift/test_decision_log.py",
    "uplift/effects_table.py": "serving/decisions/test_effects.py",
    "uplift/forests.py": "uplift/test_effects.py",
    "uplift/learning.py": "uplift/test_effects.py",
    "uplift/texts.py": "uplift/test_next_best_action.py",
}


SHARING = ["data/identity", "data/store", "data/privacy", "data/consent.py", "evaluation/leakage"]
"""Where tables of the engine pass between functions, each by its declaration."""
NAMING_CALLS = ("register", "unregister", "create_view", "create", "view", "table")
"""Functions of the engine that take the name of a table."""

DECLARATIONS = ["core/schema.py", *SHARING]


def _files(places: list[str]) -> list[Path]:
    files = [SOURCE / place for place in places if place.endswith(".py")]
    return sorted([*files, *(file for place in places for file in (SOURCE / place).glob("*.py"))])


def _declared_tables() -> set[str]:
    """The names of the table contracts and of the relations, as they are written where they are declared."""
    names = set()
    for file in _files(DECLARATIONS):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Relation", "Table"):
                name = node.args[0] if node.args else node.keywords[0].value
                names |= {str(name.value)} if isinstance(name, ast.Constant) else set()
    return names


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """The line and the text of every string but docstrings; `{}` stands for what an f-string fills in."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    skipped = {node.value for node in nodes if isinstance(node, ast.Expr)}
    skipped |= {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, "".join(map(str, parts))


def _tables_by_text(path: Path, tables: set[str]) -> Iterator[str]:
    """Where a file speaks of one of the tables by its name: in SQL, or to the engine."""
    either = "|".join(map(re.escape, sorted(tables)))
    read = re.compile(
        rf"\b(?:from|join|into|table|view|update|describe)\s+\"?({either})\b(?!\.parquet)", re.I
    )
    qualified = re.compile(rf"(?<![\w.{{}}/\"])({either})\.(?!parquet)[\w*\"]")
    for line, text in _texts(path):
        if not re.search(r"\b(?:select|from|join|into|table|view|update|describe)\b", text, re.I):
            continue
        aliases = set(re.findall(r"\bas (\w+)", text, re.I))
        qualifiers = {match[1] for match in qualified.finditer(text)} - aliases
        for name in {match[1].lower() for match in read.finditer(text)} | qualifiers:
            yield f"{path.name}:{line} names {name}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in NAMING_CALLS:
            names = {str(name.value) for name in node.args if isinstance(name, ast.Constant)} & tables
            yield from (f"{path.name}:{node.lineno} names {name}" for name in names)


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
def _edges() -> list[tuple[Path, str]]:
    """(file, what it imports) of the whole package."""
    files = sorted(SOURCE.rglob("*.py"))
    return [(file.relative_to(SOURCE), name) for file in files for name in _imports(file)]


def _upward(order: list[str], depth: int, within: str = "") -> list[str]:
    """Imports against the order of the names at a depth of the package; names out of the order do not count."""
    against = []
    for file, name in _edges():
        origin = file.with_suffix("").parts
        imported = name.split(".")[1:]
        if name.split(".")[0] != "sintonia" or len(imported) <= depth or len(origin) <= depth:
            continue
        if within and (origin[0] != within or imported[0] != within):
            continue
        here, there = origin[depth], imported[depth]
        if here in order and there in order and order.index(there) > order.index(here):
            against.append(f"{file} imports {name}")
    return against


def test_the_package_has_the_wings_and_nothing_beside_them():
    rooms = {
        path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__", "__main__"} == set(WINGS)


def test_a_wing_imports_only_from_wings_before_it():
    assert _upward(WINGS, depth=0) == []


def test_a_room_of_a_wing_imports_only_from_rooms_before_it():
    assert {wing: _upward(rooms, depth=1, within=wing) for wing, rooms in ROOMS.items()} == {
        key: [] for key in ROOMS
    }


def test_features_and_tasks_never_import_each_other():
    pairs = {(file.parts[:2], tuple(name.split(".")[1:3])) for file, name in _edges()}
    assert not [file for file, name in pairs if file[0] == "features" and name[:1] == ("training",)]
    assert not [file for file, name in pairs if file == ("training", "tasks") and name[:1] == ("features",)]


def test_hydra_is_known_to_the_composing_of_settings_and_to_the_command_line_alone():
    users = {file.as_posix() for file, name in _edges() if name.split(".")[0] in ("hydra", "omegaconf")}
    assert {user for user in users if not user.startswith("cli/")} <= {"core/config/compose.py"}


def test_mlflow_is_known_to_the_registry_alone():
    assert {file.parts[0] for file, name in _edges() if name.split(".")[0] == "mlflow"} == {"registry"}


def test_the_command_line_and_the_python_door_load_nothing_heavy_until_they_are_used():
    code = "import sys, sintonia, sintonia.cli, sintonia.cli.manual; print(*sys.modules)"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_every_module_has_its_test_file_or_says_where_it_is_tested():
    modules = {path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if not path.stem.startswith("__")}
    without = {
        module.as_posix()
        for module in modules
        if not (TESTS / module.parent / f"test_{module.name}").is_file()
    }
    assert without == set(TESTED_ELSEWHERE)
    assert {place for place in TESTED_ELSEWHERE.values() if not (TESTS / place).exists()} == set()


def test_a_table_that_passes_between_functions_is_named_by_its_declaration_alone():
    tables = _declared_tables()
    assert {"nodes", "ties", "crosswalk", "located", "moments"} <= tables
    assert [text for file in _files(SHARING) for text in _tables_by_text(file, tables)] == []


def test_a_table_named_in_the_text_of_sql_is_found_and_a_column_or_an_alias_is_not(tmp_path):
    texts = {
        'connection.execute("SELECT node FROM nodes")': ["nodes"],
        'connection.sql(f"select nodes.key from {KNOWN} join nodes using (key)")': ["nodes"],
        'connection.sql(f"SELECT nodes.key FROM {KNOWN} AS nodes")': [],
        'connection.sql(f"SELECT nodes FROM {NODES}")': [],
        'connection.register("nodes", table)': ["nodes"],
        'PATH = folder / "nodes.parquet"': [],
    }
    for number, (text, names) in enumerate(texts.items()):
        path = tmp_path / f"{number}.py"
        path.write_text(f'"""Read FROM nodes."""\n{text}\n', encoding="utf-8")
        assert [found.split()[-1] for found in _tables_by_text(path, {"nodes"})] == names, text


def test_no_test_imports_a_private_name_of_another_test():
    private = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for name in _imports(path)
        if name.split(".")[0] != "sintonia"
        and (TESTS / name.split(".")[0]).with_suffix(".py").exists() | (TESTS / name.split(".")[0]).is_dir()
        and name.rpartition(".")[2].startswith("_")
    ]
    assert private == []
