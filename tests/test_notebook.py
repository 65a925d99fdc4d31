"""What notebooks call: frames in, frames out, in the words of the command line."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import sintonia
from sintonia.errors import ConfigError, InputError


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A small brand with a registered model of churn."""
    folder = tmp_path_factory.mktemp("shop")
    for words in (
        ["simulate", "customers=600"],
        ["build", "identity=deterministic"],
        ["train", "features=basic", "model.threads=1", "split.folds=0", "task.class_rows=50"],
    ):
        asked = [*words, f"workspace={folder}"]
        subprocess.run([sys.executable, "-m", "sintonia", *asked], check=True, capture_output=True)
    return folder


def test_a_frame_is_scored_row_by_row_as_its_list_would_be(workspace):
    from sintonia.interactions import open_store

    keys = sorted(open_store(workspace).read_crosswalk("crm")["source_key"].to_pylist())[:40]
    frame = pd.DataFrame({"crm": [*keys, "nobody"], "spent": 1.5}, index=np.arange(100, 141))
    before = frame.copy()
    scored = sintonia.score(frame, f"workspace={workspace}", "tasks=[churn]", "key=crm")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(scored[["crm", "spent"]], frame, check_dtype=False)
    assert scored["list_status"].iloc[-1] == "unknown"
    told = scored[scored["list_status"] == "scored"]
    assert len(told)
    assert told["churn_propensity"].between(0, 1).all()
    half = sintonia.score(frame[::-1], f"workspace={workspace}", "tasks=[churn]", "key=crm")
    assert half["churn_propensity"].iloc[::-1].tolist()[:-1] == pytest.approx(
        scored["churn_propensity"].tolist()[:-1], abs=0, nan_ok=True
    )


def test_what_is_asked_wrongly_is_told_in_the_words_of_the_command_line(workspace):
    frame = pd.DataFrame({"crm": ["1"]})
    with pytest.raises(ConfigError, match="taks"):
        sintonia.score(frame, f"workspace={workspace}", "taks=[churn]")
    with pytest.raises(InputError, match="kye"):
        sintonia.score(frame, f"workspace={workspace}", "key=kye")


def test_the_package_has_no_other_secrets():
    with pytest.raises(AttributeError, match="no attribute 'guess'"):
        sintonia.guess  # noqa: B018
