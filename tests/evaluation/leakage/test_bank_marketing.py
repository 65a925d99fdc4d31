"""The bank's campaign: `duration` tells of the call that is yet to be made, and everything else is honest."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sintonia.api import pipelines
from sintonia.core.config import BuildSettings, CheckSettings
from sintonia.core.config.compose import compose
from sintonia.core.engine import connect
from sintonia.core.timeline import split_snapshots
from sintonia.data.store import open_store
from sintonia.evaluation.leakage import LeakRules, find_leaks, label_moments, moments_at

pytestmark = pytest.mark.real_data
NAMES = {"age", "job", "marital", "education", "default", "balance", "housing", "loan", "contact"}
NAMES |= {"campaign", "pdays", "previous", "poutcome", "duration"}


def _settings(verb: str, workspace: Path, root: Path, *words: str):
    given = [f"workspace={workspace}", f"source.root={root}", "engine.buckets=2", *words]
    return compose(verb, given)


@pytest.fixture(scope="module")
def bank(tmp_path_factory, real_data_dir) -> tuple[CheckSettings, Path]:
    workspace, root = tmp_path_factory.mktemp("bank"), real_data_dir / "bank_marketing"
    build = _settings("build", workspace, root, "source=bank_marketing")
    assert isinstance(build, BuildSettings)
    figures = pipelines.build(build)
    assert figures["silos"]["calls"]["stored"] == figures["customers"] == 45211
    check = _settings("check", workspace, root, "experiment=bank_marketing", "customers=50", "dates=1")
    assert isinstance(check, CheckSettings)
    return check, workspace


def test_duration_is_named_and_the_honest_columns_are_not(bank):
    check, _ = bank
    figures = pipelines.check(check)
    assert figures["features_hold"]
    assert not figures["passed"]
    assert figures["leaks"]["may_leak"] == ["calls: duration"]
    assert {found["column"] for found in figures["leaks"]["findings"]} >= NAMES
    (line,) = [line for line in figures["say"] if line.startswith("May leak")]
    assert "known only after the moment of decision" in line


def test_duration_mapped_as_if_known_before_the_call_is_named_too(bank):
    """The mistake of who maps the whole table by the day of the call, without a known_at."""
    check, workspace = bank
    store = open_store(workspace)
    path = store.folder / "attributes.parquet"
    honest = pq.read_table(path)
    try:
        day = pc.floor_temporal(honest["occurred_at"], unit="day").cast(pa.timestamp("us"))
        source = pa.array(["clients"] * len(honest))
        naive = honest
        for name, values in (("occurred_at", day), ("known_at", day), ("source", source)):
            naive = naive.set_column(naive.schema.get_field_index(name), name, values)
        pq.write_table(naive, path)
        blind = replace(store, silos=tuple(replace(silo, own_known_at=False) for silo in store.silos))
        split = split_snapshots(
            check.split, check.task, store.data_from(["purchase"]), store.data_until(["purchase"])
        )
        moments = moments_at(label_moments(blind, split, check.task, 20_000), split.test)
        with connect(check.engine, workspace) as connection:
            found = find_leaks(connection, blind, moments, check.task, LeakRules())
    finally:
        pq.write_table(honest, path)
    assert [one.name for one in found if one.may_leak] == ["duration"]
    assert "maps no known_at" in found[0].why
