"""Features kept on disk: used again by who asks for the same, never by who asks for something else."""

from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa

from features.rows import AS_OFS, FITTED
from sintonia.core.config import FeaturesConfig
from sintonia.features import Feature, catalogue
from sintonia.features.cache import prune, read_or_compute, table_folder
from sintonia.features.measures import Filter, Total

CONFIG = FeaturesConfig(families=["rfm", "response"], windows_days=[7, 30])
MADE = catalogue(CONFIG, FITTED)
TABLE = pa.table({"customer_id": ["ann"], "rfm__orders__7d": pa.array([1.0], pa.float32())})


def test_a_table_is_computed_once(tmp_path):
    asked = []

    def compute():
        asked.append(1)
        return TABLE

    path = tmp_path / "features" / "s-1" / "bucket-0000.parquet"
    assert read_or_compute(path, compute).equals(TABLE)
    assert read_or_compute(path, compute).equals(TABLE)
    assert len(asked) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_equal_features_have_one_place_and_others_another(tmp_path):
    place = partial(table_folder, tmp_path)
    same = place("store", catalogue(CONFIG, FITTED), AS_OFS[::-1])
    assert place("store", MADE, AS_OFS) == same
    others = [
        place("other", MADE, AS_OFS),
        place("store", MADE[:-1], AS_OFS),
        place("store", MADE, AS_OFS[:1]),
        place("store", catalogue(CONFIG, replace(FITTED, means=FITTED.means | {"open": 0.3})), AS_OFS),
    ]
    assert len({same, *others}) == 5
    assert place("store", catalogue(CONFIG, replace(FITTED, until=AS_OFS[-1])), AS_OFS) == same


def test_a_feature_that_combines_by_what_cannot_be_told_has_no_place(tmp_path):
    half = 2
    told = Feature("own", "x", "x", "x", (Total(Filter()),), lambda value: value / half)
    hidden = Feature("own", "x", "x", "x", (Total(Filter()),), (lambda base: lambda value: value / base)(2))
    sealed = Feature("own", "x", "x", "x", (Total(Filter()),), np.negative)
    assert table_folder(tmp_path, "s", [told], AS_OFS) is None
    assert table_folder(tmp_path, "s", [hidden], AS_OFS) is None
    assert table_folder(tmp_path, "s", [sealed], AS_OFS) is not None


def test_tables_of_other_stores_go_and_the_oldest_beyond_the_limit(tmp_path):
    import os

    for age, name in enumerate(["now-3", "now-2", "now-1", "old-4"]):
        read_or_compute(tmp_path / name / "bucket-0000.parquet", lambda: TABLE)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    size = (tmp_path / "now-1" / "bucket-0000.parquet").stat().st_size
    prune(tmp_path, "now", 2 * size / 2**30)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["now-2", "now-3"]
    prune(tmp_path, "now", 0, tmp_path / "now-2")
    assert [folder.name for folder in tmp_path.iterdir()] == ["now-2"]
