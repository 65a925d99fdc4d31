"""Hashes of code and settings: the same when nothing that matters differs."""

from dataclasses import replace

from sintonia.core.config import EngineConfig, SourceConfig, TaskConfig, TrackingConfig, TrainSettings
from sintonia.core.hashes import code_hash, config_hash

SETTINGS = TrainSettings(source=SourceConfig(name="shop"))


def test_where_and_how_fast_a_run_works_does_not_change_its_hash():
    elsewhere = replace(
        SETTINGS,
        workspace="elsewhere",
        output="json",
        engine=EngineConfig(threads=8),
        tracking=TrackingConfig(uri="http://mlflow"),
        source=SourceConfig(name="shop", root="/data"),
    )
    assert config_hash(elsewhere) == config_hash(SETTINGS)


def test_what_comes_out_otherwise_has_another_hash():
    changed = [
        replace(SETTINGS, seed=8),
        replace(SETTINGS, task=TaskConfig(horizon_days=14)),
        replace(SETTINGS, source=SourceConfig(name="bank")),
    ]
    assert len({config_hash(settings) for settings in (SETTINGS, *changed)}) == 4


def test_the_code_has_one_hash_in_one_process():
    assert code_hash() == code_hash()
    assert len(code_hash()) == 12
