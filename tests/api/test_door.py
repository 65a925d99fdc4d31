"""The door shows what it has, and opens quickly."""

import subprocess
import sys

import pytest

import sintonia as sn
from test_layers import HEAVY


def test_dir_shows_exactly_the_door():
    assert " ".join(dir(sn)) == (
        "EffectLearner ForestExplainer SintoniaError Workspace __version__ clv compute_features policy_value"
    )


def test_every_name_of_the_door_is_there_and_no_other():
    assert all(getattr(sn, name) is not None for name in sn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'guess'"):
        sn.guess  # noqa: B018


def test_the_import_loads_nothing_heavy():
    code = "import sys, sintonia; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not (HEAVY | {"narwhals"}) & set(loaded)
    assert [name for name in loaded if name.startswith("sintonia")] == ["sintonia"]
