import hashlib
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from sintonia.core.config import SimulateSettings
from sintonia.synthetic import simulate


def _bytes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_settings_give_the_same_bytes_and_another_seed_gives_others(tmp_path):
    for name, seed in (("first", 7), ("same_seed", 7), ("other_seed", 8)):
        simulate(SimulateSettings(customers=120, seed=seed), tmp_path / name)
    first, same_seed, other_seed = (_bytes(tmp_path / name) for name in ("first", "same_seed", "other_seed"))
    assert first == same_seed
    assert first.keys() == other_seed.keys()
    assert all(first[name] != other_seed[name] for name in first)


def test_every_block_adds_a_part_file_and_no_block_depends_on_how_many_follow(tmp_path, monkeypatch):
    for name in ("simulate", "world"):
        monkeypatch.setattr(import_module(f"sintonia.synthetic.{name}"), "PEOPLE_PER_BLOCK", 100)
    summary = simulate(SimulateSettings(customers=250), tmp_path / "three")
    simulate(SimulateSettings(customers=200), tmp_path / "two")
    three, two = _bytes(tmp_path / "three" / "silos"), _bytes(tmp_path / "two" / "silos")
    assert len(three) == len(summary.files) == 27
    assert two.items() < three.items()
    records = pd.read_parquet(tmp_path / "three" / "truth" / "records.parquet")
    assert not records.duplicated(["source", "source_key"]).any()
    assert pd.read_parquet(tmp_path / "three" / "truth" / "people.parquet")["person_id"].is_unique


def test_a_second_run_leaves_nothing_of_the_first(tmp_path):
    (tmp_path / "silos" / "web").mkdir(parents=True)
    old = tmp_path / "silos" / "web" / "events_0009.parquet"
    old.touch()
    summary = simulate(SimulateSettings(customers=20), tmp_path)
    assert not old.exists()
    assert all(path.is_file() for path in summary.files)


def test_a_brand_of_a_few_people_has_every_silo(tmp_path):
    summary = simulate(SimulateSettings(customers=3), tmp_path)
    assert summary.rows["chat/sessions.jsonl"] > 0
    assert summary.rows["social/posts.jsonl"] > 0
    assert len(summary.files) == 9


@pytest.mark.parametrize("start", ["2026-06-15", "2025-01-15"])
def test_short_histories_work_too(tmp_path, start):
    summary = simulate(SimulateSettings(customers=30, start=start), tmp_path)
    assert summary.rows["campaigns/decisions.jsonl"] > 0


def test_the_summary_counts_what_the_files_hold(brand):
    counted = {
        "web/events.parquet": len(brand.read("web")),
        "store/tickets.csv": len(brand.read("store")),
        "crm/registrations.csv": len(brand.read("crm")),
        "campaigns/events.jsonl": len(brand.read("campaign_events")),
        "campaigns/decisions.jsonl": len(brand.read("campaign_decisions")),
        "app/events.parquet": len(brand.read("app")),
        "contact_centre/cases.csv": len(brand.read("contact_centre")),
        "chat/sessions.jsonl": len(brand.read("chat")),
        "social/posts.jsonl": len(brand.read("social")),
    }
    assert brand.summary.rows == counted
    assert brand.summary.customers == len(brand.truth("people"))


def test_nothing_is_known_after_the_end_of_the_history(brand):
    end = pd.Timestamp(brand.source.today, tz="UTC")
    assert brand.read("web")["received_at"].max() < end
    assert pd.to_datetime(brand.read("campaign_events")["ingested_at"], utc=True).max() < end
    loaded = pd.to_datetime(brand.read("store")["Caricato"], format="%d/%m/%Y %H:%M").dt.tz_localize(
        "Europe/Rome"
    )
    assert loaded.max() < end
    assert pd.to_datetime(brand.read("crm")["loaded_at"]).max() < pd.Timestamp("2026-07-01 02:00")
    assert brand.read("app")["received_at"].max() < end.tz_localize(None)
    cases = brand.read("contact_centre")[["Aperta il", "Chiusa il"]].stack()
    assert pd.to_datetime(cases, format="%d-%m-%y %H.%M").max() < pd.Timestamp("2026-07-01 02:00")
    assert pd.to_datetime(brand.read("chat")["ended_at"], utc=True).max() < end
    assert pd.to_datetime(brand.read("social")["collected_at"], utc=True).max() < end
