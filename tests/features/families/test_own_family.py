"""A family of one's own: a Python function in a file or a module."""

from pathlib import Path

import pytest

from features.rows import FITTED, day, row, table
from sintonia.core.config import FeaturesConfig
from sintonia.core.errors import ConfigError, InputError
from sintonia.features import catalogue, compute, feature_names

CODE = """
from sintonia.features.measures import Feature, Filter, Total

def night(frame):
    late = Filter(kind="view", having=("local_hour >= {hour}",))
    return [
        Feature("night", "views", f"Views at night in the last {{days}} days", "views", (Total(late, None, days),),
                window_days=days, why="Who browses at night browses alone")
        for days in frame.windows_days
    ]

def twice(frame):
    return night(frame) + night(frame)

def wrong(frame):
    return [Feature("night", "x", "x", "x", (Total(Filter(having=("colour = 'red'",))),))]

def nothing(frame):
    return None
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop_families.py"
    path.write_text(CODE.format(hour=22))
    return path


def config(reference):
    return FeaturesConfig(windows_days=[7], families_from=[str(reference)])


def test_a_function_in_a_file_gives_features_like_any_family(file):
    rows = [
        row("ann", 2.99, kind="view", utc_offset_minutes=0),
        row("ann", 3.5, kind="view", utc_offset_minutes=0),
    ]
    (ann,) = compute(table(rows), [day(4)], config(f"{file}:night"), FITTED).to_pylist()
    assert ann["night__views__7d"] == 1


def test_a_changed_file_is_read_again(file):
    before = catalogue(config(f"{file}:night"), FITTED)
    file.write_text(CODE.format(hour=5))
    import os

    os.utime(file, ns=(1, 1))
    assert catalogue(config(f"{file}:night"), FITTED)[0].terms != before[0].terms


def test_a_function_in_an_installed_module_does_as_well():
    found = feature_names(config("sintonia.features.families.rfm:rfm"), FITTED)
    assert "rfm__orders__7d" in found


@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("night", ConfigError, "names no function; write folder/file.py:my_family"),
        ("{file}:nigt", ConfigError, "has no function 'nigt'; did you mean 'night'"),
        ("{file}:twice", ConfigError, "Two features are called 'night__views__7d'"),
        ("{file}:wrong", ConfigError, "Unknown column in the features of .* 'colour'"),
        ("{file}:nothing", ConfigError, "gave no list of features"),
        ("elsewhere.py:night", InputError, "no file 'elsewhere.py'; looked for /"),
        ("no_such_module:night", InputError, "no module 'no_such_module' is installed; name its file"),
    ],
)
def test_what_is_no_family_is_refused_in_plain_words(file, reference, error, message):
    with pytest.raises(error, match=message):
        catalogue(config(reference.format(file=file)), FITTED)


def test_a_file_that_breaks_says_why(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nowhere_to_be_found\n")
    with pytest.raises(ConfigError, match="cannot be loaded: ModuleNotFoundError"):
        catalogue(config(f"{broken}:night"), FITTED)
