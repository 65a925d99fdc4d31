"""A customer forgotten on a small synthetic brand: in no file any more, and never back."""

import gzip
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.privacy.decoder import naming
from sintonia.api import pipelines
from sintonia.core.config import BuildSettings, ForgetSettings, SimulateSettings
from sintonia.core.config.compose import compose
from sintonia.data.store import open_store

TELLING = ("email", "phone", "street", "last_name", "birth_date")


@dataclass(frozen=True)
class Brand:
    """A built brand, the person to forget, and what only that person has."""

    build: BuildSettings
    workspace: Path
    customer: str
    merged: str
    ids: set[str]
    alone: set[str]
    before: set[str]

    def forget(self, customer: str) -> dict:
        return pipelines.forget(
            ForgetSettings(workspace=str(self.workspace), source=self.build.source, customer=customer)
        )


def build_settings(workspace, identity):
    return compose("build", [f"workspace={workspace}", f"identity={identity}", "engine.buckets=3"])


def somebody(workspace):
    """The customer that the most others became part of, its ids, and the values that are its alone, in lower case."""
    store = open_store(workspace)
    merges = store.read_merges().to_pylist()
    customer = Counter(row["merged_into"] for row in merges).most_common(1)[0][0]
    ids = {customer} | {row["customer_id"] for row in merges if row["merged_into"] == customer}
    rows = pq.read_table(store.folder / "crosswalk.parquet").to_pylist()
    keys = {row["source_key"].lower() for row in rows if row["customer_id"] in ids}
    contacts = pq.read_table(store.folder / "contacts.parquet").to_pylist()
    said = {True: set(), False: set()}
    for row in contacts:
        if row["field"] in TELLING and len(row["value"]) > 5:
            said[row["customer_id"] in ids].add(row["value"].lower())
    others = "\n".join(said[False])
    values = {value for value in said[True] if value not in others}
    return customer, ids, {name.lower() for name in ids} | keys | values


def scatter(workspace, customer, ids, keys):
    """What other verbs, colleagues and killed runs leave in a workspace."""
    crm = min(key for kind, key in keys if kind == "crm")
    (workspace / "list.csv").write_text(f"crm;note\n{crm};a friend\nC0;somebody else\n", encoding="utf-8")
    (workspace / "list-scored.csv").write_text(
        f"customer_id,score\n{customer},0.5\nX,0.1\n", encoding="utf-8"
    )
    with gzip.open(workspace / "export.jsonl.gz", "wt") as file:
        file.write(json.dumps({"who": crm}) + '\n{"who": "C0"}\n')
    pq.write_table(
        pa.table({"customer_id": [*ids, "X"], "rfm__orders__30d": [1.0] * (len(ids) + 1)}),
        workspace / "features.parquet",
    )
    (workspace / "review").mkdir()
    (workspace / "review" / "churn.html").write_text(f"<p>Look at {customer}&nbsp;</p>")
    (workspace / "review" / "other.html").write_text("<p>Nobody</p>")
    with closing(sqlite3.connect(workspace / "mlflow.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE params (value TEXT)")
        connection.executemany("INSERT INTO params VALUES (?)", [(crm,), ("7",)])
        connection.commit()
        connection.execute("DELETE FROM params WHERE value <> '7'")
        connection.commit()
    scratch = workspace / ".scratch-killed"
    scratch.mkdir()
    with duckdb.connect(str(scratch / "scratch.duckdb")) as connection:
        connection.execute("CREATE TABLE seen AS SELECT ? AS customer", [customer])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("simulated")
    pipelines.simulate(
        SimulateSettings(workspace=str(workspace), customers=80, start="2025-01-01", end="2026-01-01")
    )
    return workspace


@pytest.fixture(scope="module", params=["deterministic", "probabilistic"])
def brand(request, simulated, tmp_path_factory):
    workspace = tmp_path_factory.mktemp(request.param) / "w"
    built = build_settings(workspace, request.param)
    shutil.copytree(simulated, workspace)
    shutil.copytree(simulated / "silos", workspace.parent / "brand")
    pipelines.build(built)
    customer, ids, alone = somebody(workspace)
    store = open_store(workspace)
    rows = pq.read_table(store.folder / "crosswalk.parquet").to_pylist()
    keys = {(row["source"], row["source_key"]) for row in rows if row["customer_id"] in ids}
    scatter(workspace, customer, ids, keys)
    found = Brand(built, workspace, customer, min(ids - {customer}), ids, alone, store.customer_ids())
    named = naming(workspace, alone)
    assert {name.split("/")[0] for name in named} >= {"silos", "truth", "store", "identity", "mlflow.db"}
    return found


@pytest.fixture(scope="module")
def forgotten(brand):
    """The brand once its customer is forgotten, asked for by an id from before a merge, and the figures."""
    return brand, brand.forget(brand.merged)


def test_no_file_of_the_workspace_tells_of_the_customer(forgotten):
    brand, _ = forgotten
    assert len(brand.alone) > 10
    assert naming(brand.workspace, brand.alone) == {}


def test_everybody_else_is_still_there(forgotten):
    brand, figures = forgotten
    store = open_store(brand.workspace)
    assert store.customer_ids() == brand.before - {brand.customer}
    assert figures["customers"] == store.customers
    merged = store.read_merges()["customer_id"].to_pylist()
    owners = [owner for path in store.buckets for owner in store.read_bucket(path)["customer_id"].to_pylist()]
    assert figures["interactions"] == store.interactions == sum(owner not in merged for owner in owners)
    assert (brand.workspace / "list.csv").read_text() == "crm;note\nC0;somebody else\n"
    assert (brand.workspace / "list-scored.csv").read_text() == "customer_id,score\nX,0.1\n"
    assert gzip.decompress((brand.workspace / "export.jsonl.gz").read_bytes()) == b'{"who": "C0"}\n'
    assert (brand.workspace / "review/other.html").is_file()
    assert not (brand.workspace / "review/churn.html").exists()


def test_figures_count_rows_by_file_and_repeat_no_value(forgotten):
    brand, figures = forgotten
    removed = figures["removed"]
    assert removed["list.csv"] == removed["export.jsonl.gz"] == removed["review/churn.html"] == 1
    assert removed["features.parquet"] == figures["customer_ids"] == len(brand.ids)
    assert sum(rows for name, rows in removed.items() if name.startswith("store/interactions/")) > 0
    told = json.dumps(figures).lower()
    assert not [value for value in brand.alone if value in told]


def test_one_version_of_the_store_is_left_and_its_rejected_rows_are_all_on_disk(forgotten):
    brand, _ = forgotten
    store = open_store(brand.workspace)
    assert [path.name for path in (brand.workspace / "store").glob("v-*")] == [store.folder.name]
    for silo in store.silos:
        rejected = pq.read_table(brand.workspace / "rejected" / f"{silo.name}.parquet")
        assert dict(Counter(rejected["reason"].to_pylist())) == dict(silo.reasons)
        assert silo.rows == silo.stored + silo.rejected


def test_who_was_forgotten_does_not_return_on_a_rebuild(forgotten):
    brand, _ = forgotten
    pipelines.build(brand.build)
    assert naming(brand.workspace, brand.alone) == {}
    assert open_store(brand.workspace).customer_ids() == brand.before - {brand.customer}


def test_rows_that_come_back_from_outside_are_rejected_without_their_text(forgotten):
    brand, _ = forgotten
    source = replace(brand.build.source, root=str(brand.workspace.parent / "brand"))
    figures = pipelines.build(replace(brand.build, source=source))
    erased = {name: silo["reasons"].get("erased", 0) for name, silo in figures["silos"].items()}
    assert min(erased["crm"], erased["web"]) > 0
    for name, silo in figures["silos"].items():
        assert silo["rows"] == silo["stored"] + silo["rejected"]
        rejected = pq.read_table(brand.workspace / "rejected" / f"{name}.parquet").to_pylist()
        assert [row["raw"] for row in rejected if row["reason"] == "erased"] == [None] * erased[name]
    assert naming(brand.workspace, brand.alone) == {}
    again = brand.forget(brand.customer)
    assert again["removed"] == {}
    assert again["left_alone"] == []
