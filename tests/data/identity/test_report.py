"""The report of `sintonia identity`: figures by hand, masked examples, files that cannot be read."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sintonia.api.pipelines.building import identity_figures
from sintonia.core.config import IdentityConfig
from sintonia.core.errors import InputError
from sintonia.data.identity.report import read_records, report_records, report_store

PEOPLE = "suburb;First Name;surname;who\nRoma;Maria;Rossi;1\nroma;Maria;Rossi;1\nBari;Luca;Neri;2\n"


def store(folder: Path) -> Path:
    rows = [
        ("crm", "a", "C1", "first record", None),
        ("crm", "b", "C2", "first record", 5),
        ("crm", "b", "C1", "match", None),
        ("card", "9", "C3", "first record", None),
    ]
    names = ("source", "source_key", "customer_id", "rule", "unlinked_at")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), folder / "crosswalk.parquet")
    ties = {"rule": ["match", "same record", "same record", "match"], "holds": [True, True, True, False]}
    (folder / "identity").mkdir(exist_ok=True)
    pq.write_table(pa.table(ties), folder / "identity" / "ties.parquet")
    return folder


def test_store_is_reported_as_it_holds_now(tmp_path):
    (tmp_path / "truth.csv").write_text("source,source_key,person_id\ncrm,a,P\ncrm,b,P\ncard,9,P\n")
    found = report_store(store(tmp_path), tmp_path, tmp_path / "truth.csv", "toy")
    assert (found.records, found.sizes) == (3, {1: 1, 2: 1})
    assert list(found.rules.items()) == [("same record", 2), ("match", 1), ("match, refused", 1)]
    assert found.matcher is None
    figures = identity_figures(found, 5, Path("page.html"))
    assert (figures["customers"], figures["pairwise"]["precision"]) == (2, 1.0)
    assert figures["pairwise"]["recall"] == pytest.approx(1 / 3)
    json.dumps(figures, allow_nan=False)


def test_one_table_is_matched_by_itself_and_shows_nobody(tmp_path):
    (tmp_path / "p.csv").write_text(PEOPLE)
    table = read_records(tmp_path / "p.csv")
    found = report_records(table, {"city": "suburb"}, "who", IdentityConfig(), "p.csv")
    assert found.records == 3
    assert found.quality is not None
    told = str(identity_figures(found, 5, Path("page.html"))).lower()
    assert not [word for word in ("maria", "rossi", "roma", "luca", "neri") if word in told]


def test_parquet_reads_like_csv(tmp_path):
    (tmp_path / "p.csv").write_text(PEOPLE)
    table = read_records(tmp_path / "p.csv")
    pq.write_table(table, tmp_path / "p.parquet")
    assert read_records(tmp_path / "p.parquet").equals(table)


def test_what_is_not_there_is_named(tmp_path):
    (tmp_path / "p.csv").write_text(PEOPLE)
    with pytest.raises(InputError, match=r"No file '.*none.csv'; give records=FILE"):
        read_records(tmp_path / "none.csv")
    with pytest.raises(InputError, match="no column 'whom'; did you mean 'who'"):
        report_records(read_records(tmp_path / "p.csv"), {}, "whom", IdentityConfig(), "p.csv")
    with pytest.raises(InputError, match="has no column 'source'"):
        report_store(store(tmp_path), tmp_path, tmp_path / "p.csv", "toy")
    (tmp_path / "t.csv").write_text("source,source_key,person_id\nweb,x,P\n")
    with pytest.raises(InputError, match="knows none of the 3 identifiers"):
        report_store(tmp_path, tmp_path, tmp_path / "t.csv", "toy")


def test_a_truth_that_is_not_there_is_asked_for_by_its_own_name(tmp_path):
    with pytest.raises(InputError, match=r"give truth=FILE with a CSV or Parquet of source, source_key"):
        read_records(tmp_path / "none.csv", "truth", "source, source_key, person_id")
