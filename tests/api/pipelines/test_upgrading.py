"""`sintonia upgrade` on a small workspace as an older version left it: what differs is typed in by hand."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from builder import build_store
from sintonia import cli
from sintonia.api import pipelines
from sintonia.api.workspace import Workspace
from sintonia.core.config import SiloConfig, UpgradeSettings
from sintonia.core.errors import NotBuiltError, UnsupportedFormatError
from sintonia.core.paths import WorkspacePaths
from sintonia.core.schema import INTERACTIONS
from sintonia.data.consent import read_consents
from sintonia.data.store import open_store

TICKETS = SiloConfig(
    path="tickets.csv",
    identifiers={"card": "card"},
    occurred_at="at",
    interactions={"amount": "price"},
    constants={"channel": "store", "kind": "purchase"},
)
MLMODEL = """\
flavors:
  python_function:
    data: data/sintonia
    loader_module: {loader}
    python_version: 3.11.7
model_id: m-{number}
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A workspace of format 1: no `workspace.json`, no `format` in the store's metadata, MLflow's loader of then.

    Its interactions have no `known_until`.
    """
    (tmp_path / "tickets.csv").write_text("card,at,price\nA,2025-01-03,1.00\nB,2025-01-04,2.00\n")
    build_store(tmp_path, {"tickets": TICKETS})
    paths = WorkspacePaths(tmp_path / "workspace")
    metadata = json.loads(paths.store_pointer.read_text())
    assert metadata.pop("format") == 3
    for bucket in open_store(paths.root).buckets:
        pq.write_table(pq.read_table(bucket).drop_columns(["known_until"]), bucket)
    paths.store_pointer.write_text(json.dumps(metadata, indent=1))
    paths.manifest.unlink(missing_ok=True)
    for number in (1, 2):
        artifacts = paths.tracking_files / f"models/m-{number}/artifacts"
        artifacts.mkdir(parents=True)
        (artifacts / "MLmodel").write_text(MLMODEL.format(number=number, loader="sintonia.pyfunc"))
    return paths.root


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _upgrade(workspace: Path) -> dict:
    return pipelines.upgrade(UpgradeSettings(workspace=str(workspace)))


def test_an_old_store_is_read_as_it_is(old):
    store = open_store(old)
    assert (store.customers, store.interactions) == (2, 2)
    for bucket in store.buckets:
        rows = store.read_bucket(bucket)
        assert rows.schema.equals(INTERACTIONS.arrow())
        assert rows["known_until"].null_count == len(rows)
        ids = rows["customer_id"].to_pylist()
        if ids:
            names = ["known_until", "customer_id"]
            assert store.read_customers(bucket, ids, names).column_names == names
            assert store.read_bucket(bucket, ids[:1], names).column_names == names
    assert len(read_consents(store.folder)) == 0


def test_formats_and_loaders_are_upgraded_and_nothing_else_changes(old):
    before, store = _files(old), open_store(old)
    figures = _upgrade(old)
    after = _files(old)
    loader = MLMODEL.format(number=1, loader="sintonia.registry.pyfunc")
    assert after["mlflow/models/m-1/artifacts/MLmodel"].decode() == loader
    assert json.loads(after["store/current.json"]) == {
        **json.loads(before["store/current.json"]),
        "format": 3,
    }
    assert json.loads(after["workspace.json"])["format"] == 2
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {
        "mlflow/models/m-1/artifacts/MLmodel",
        "mlflow/models/m-2/artifacts/MLmodel",
        "store/current.json",
        "workspace.json",
    }
    assert before.keys() <= after.keys()
    assert {str(Path(name).relative_to(old)) for name in figures["files"]} == changed
    assert open_store(old) == store
    assert figures["say"][:3] == [
        f"Upgraded {old}: workspace from format 1 to 2",
        f"Upgraded {old}: store from format 1 to 3",
        f"Upgraded {old}: 2 registered models to MLflow's loader of today",
    ]
    assert {key: figures[key] for key in figures.keys() - {"files", "say"}} == {
        "format_before": 1,
        "format": 2,
        "store_format_before": 1,
        "store_format": 3,
        "loaders": 2,
    }


def test_a_second_upgrade_changes_nothing_and_says_so(old):
    _upgrade(old)
    before = _files(old)
    figures = _upgrade(old)
    assert figures["say"] == [f"{old} has format 2 already; nothing to upgrade"]
    assert figures["files"] == []
    after = _files(old)
    assert after == before


def test_an_interrupted_upgrade_is_made_by_the_next(old, monkeypatch):
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sintonia.api.pipelines.upgrading.upgrade_loaders", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _upgrade(old)
    figures = _upgrade(old)
    assert (figures["format_before"], figures["store_format_before"], figures["loaders"]) == (1, 3, 2)


def test_a_folder_without_a_store_or_models_is_upgraded_too(tmp_path):
    figures = _upgrade(tmp_path)
    assert (figures["store_format_before"], figures["store_format"], figures["loaders"]) == (None, None, 0)
    assert figures["files"] == [str(tmp_path / "workspace.json")]


def test_no_workspace_and_newer_formats_are_answered_in_one_line(old):
    with pytest.raises(NotBuiltError, match="run `sintonia build workspace="):
        _upgrade(old / "nowhere")
    paths = WorkspacePaths(old)
    metadata = json.loads(paths.store_pointer.read_text())
    paths.store_pointer.write_text(json.dumps({**metadata, "format": 4}))
    before = _files(old)
    with pytest.raises(
        UnsupportedFormatError, match=r"The store in '.*' has format 4; sintonia .* reads 1 to 3"
    ):
        _upgrade(old)
    with pytest.raises(UnsupportedFormatError):
        open_store(old)
    assert _files(old) == before


def test_a_build_of_an_old_workspace_leaves_its_models_to_the_upgrade(old):
    (old / "mlflow.db").touch()
    build_store(old.parent, {"tickets": TICKETS})
    assert not WorkspacePaths(old).manifest.exists()
    assert _upgrade(old)["loaders"] == 2


def test_the_verb_takes_a_workspace_and_prints_what_it_did(old, capsys):
    assert cli.main(["upgrade", f"workspace={old}"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"Upgraded {old}: workspace from format 1 to 2"
    assert cli.main(["upgrade", f"workspace={old}", "output=json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["format_before"] == 2


def test_a_workspace_upgrades_itself_in_python(old):
    assert Workspace(old).upgrade().figures["loaders"] == 2
