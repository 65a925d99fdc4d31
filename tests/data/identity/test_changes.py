"""Deciding what changed: the same as deciding everything, whatever comes, comes late, changes or goes."""

import shutil
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registrations import crosswalk, person, write_crm
from sintonia.core.config import IdentityConfig, SiloConfig, SourceConfig
from sintonia.data.identity import changes, kernels
from sintonia.data.identity.previous_build import standing, write_identity
from sintonia.data.identity.resolve import tie
from sintonia.data.store import open_store

FIELDS = ("first_name", "last_name", "birth_date", "city")
SOURCE = SourceConfig(
    name="toy",
    root="",
    today="2026-01-01",
    silos={
        "crm": SiloConfig(path="crm", identifiers={"crm": "crm"}, contacts={name: name for name in FIELDS}),
        "web": SiloConfig(path="web", identifiers={"cookie": "cookie"}),
    },
)
START = datetime(2025, 1, 1)
KEYS = {
    "crm": [f"crm:{number}" for number in range(6)],
    "web": [f"cookie:{number}" for number in range(6)],
    "shared": ["email:a", "email:b", "phone:1"],
}


def rows_of(silo):
    own, shared = st.sampled_from(KEYS[silo]), st.sampled_from([None, *KEYS["shared"], *KEYS["crm"][:3]])
    return st.tuples(st.just(silo), own, shared, st.integers(0, 20), st.integers(0, 4))


ROWS = st.lists(st.one_of(rows_of("crm"), rows_of("web")), max_size=14)


def map_rows(connection, rows):
    """Make the tables that reading the silos leaves."""
    for silo in ("crm", "web"):
        told = [row for row in rows if row[0] == silo]
        people = [person(who) for *_, who in told]
        table = {
            "_keys": pa.array([[key for key in row[1:3] if key] for row in told], pa.list_(pa.string())),
            "arrived_at": pa.array([START + timedelta(days=row[3]) for row in told], pa.timestamp("us")),
            "_row": pa.array(range(len(told)), pa.int64()),
            "c__first_name": pa.array([fields[0] for fields in people], pa.string()),
            "c__last_name": pa.array([fields[1] for fields in people], pa.string()),
            "c__birth_date": pa.array([fields[3] for fields in people], pa.string()),
            "c__city": pa.array([fields[7] for fields in people], pa.string()),
        }
        connection.register("told", pa.table(table))
        connection.execute(f"""CREATE OR REPLACE TABLE mapped_{silo} AS
                               SELECT *, true AS _read, NULL::VARCHAR AS reason, 'file' AS _file FROM told""")
        connection.unregister("told")


def built(folder, rows, config, earlier=None):
    """Return the folder of what is decided of the rows, going on from an earlier one."""
    with duckdb.connect() as connection:
        map_rows(connection, rows)
        tie(connection, folder / "workspace", SOURCE, config, earlier / "identity" if earlier else None)
        folder.mkdir(exist_ok=True)
        write_identity(connection, folder / "identity")
        for name in ("crosswalk", "merges"):
            query = f"SELECT * FROM {name} ORDER BY ALL"
            pq.write_table(connection.sql(query).to_arrow_table(), folder / f"{name}.parquet")
    return folder


def told(folder):
    """Return what a build decided, in an order of its own; the time of the run is not compared."""
    tables = {}
    paths = [*folder.glob("*.parquet"), *folder.glob("identity/*.parquet")]
    for path in [path for path in paths if "." not in path.stem]:
        rows = duckdb.sql(f"FROM {standing(path)}").to_arrow_table().to_pylist()
        for row in rows:
            for name in {"merged_at", "changed_at"} & set(row):
                row[name] = None if row[name] > START + timedelta(days=365) else row[name]
        tables[path.stem] = sorted(rows, key=repr)
    ordered = sorted(tables.pop("nodes"), key=lambda row: row["node"])
    places = {row["node"]: row["key"] for row in ordered}
    tables["nodes"] = [{**row, "node": None, "root": places[row["root"]]} for row in ordered]
    for row in tables["sightings"]:
        row["root"] = places[row["root"]]
    tables["sightings"].sort(key=repr)
    return tables


def compare(folder, config, steps):
    """Build step after step, each by what changed and whole, and compare."""
    last = built(folder / "0", steps[0], config)
    for number, rows in enumerate(steps[1:], start=1):
        unmarked = folder / f"{number}-unmarked"
        shutil.copytree(last, unmarked)
        (unmarked / "identity" / "sightings.parquet").unlink()
        whole = built(folder / f"{number}-whole", rows, config, unmarked)
        last = built(folder / f"{number}-part", rows, config, last)
        assert told(last) == told(whole)


HASHES = st.sampled_from([0, 1, 7, 8, 16, -1, 2**62])


@settings(deadline=None)  # the first call compiles
@given(
    first=st.dictionaries(HASHES, st.integers(0, 3), max_size=8),
    rows=st.lists(st.tuples(HASHES, st.integers(0, 3))),
)
def test_rows_are_compared_with_first_arrivals_one_by_one(first, rows):
    known = [*first, *list(first)[:2]]  # a sighting that had two customers is known in two rows
    told = known, [first[sighting] for sighting in known], [row[0] for row in rows], [row[1] for row in rows]
    changed, lost = kernels.compare(*(np.array(column, np.int64) for column in told))
    assert changed.tolist() == [sighting not in first or at < first[sighting] for sighting, at in rows]
    assert lost.tolist() == [(sighting, first[sighting]) not in rows for sighting in known]


@st.composite
def histories(draw):
    """Rows at four times: some come, late ones too, and some go."""
    steps = [draw(ROWS)]
    for _ in range(3):
        stay = [row for row in steps[-1] if draw(st.integers(0, 9)) > 0]
        steps.append(stay + draw(st.lists(st.one_of(rows_of("crm"), rows_of("web")), max_size=4)))
    return steps


@pytest.fixture
def always(monkeypatch):
    """However much changes, a part is decided; after two of them all is written into one file again."""
    monkeypatch.setattr(changes, "MOST_CHANGED", 1e9)
    monkeypatch.setattr(changes, "MOST_GENERATIONS", 2)


def test_ids_keep_their_form_when_the_last_identifier_of_another_kind_goes(tmp_path, always):
    first = [("crm", "crm:0", "email:a", 0, 0)]
    later = [("crm", "crm:0", None, 0, 0), ("crm", "crm:0", "crm:1", 0, 0)]
    compare(tmp_path, IdentityConfig(name="deterministic"), [first, later])


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=histories())
def test_what_changes_touch_is_decided_as_if_everything_were(tmp_path_factory, always, steps):
    config = IdentityConfig(name="deterministic")
    compare(tmp_path_factory.mktemp("steps"), config, steps)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    crosswalk(folder, write_crm(folder, people=12))
    return str(open_store(folder / "workspace").folder / "identity")


def matched(folder, weights, steps):
    overrides = folder / "overrides.csv"
    overrides.write_text("left,right,decision\ncrm:0,crm:5,cannot-link\ncrm:1,crm:4,must-link\n")
    config = IdentityConfig(
        name="probabilistic", shareable=["email", "phone"], weights=weights, overrides=str(overrides)
    )
    compare(folder, config, steps)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=histories())
def test_matched_and_refused_ties_are_decided_as_if_everything_were(tmp_path_factory, always, weights, steps):
    matched(tmp_path_factory.mktemp("steps"), weights, steps)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=histories())
def test_shared_identifiers_are_decided_as_if_everything_were(tmp_path_factory, always, steps):
    compare(
        tmp_path_factory.mktemp("steps"), IdentityConfig(name="deterministic", shareable=["email"]), steps
    )


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=histories())
def test_all_ties_are_decided_as_if_everything_were(tmp_path_factory, always, weights, steps):
    matched(tmp_path_factory.mktemp("steps"), weights, steps)
