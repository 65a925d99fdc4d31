"""Whatever an action is called, its metrics reach MLflow, each under a name of its own."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import _validate_metric, _validate_param

from sintonia.registry.names import metric_keys, original_name, tracked_name

HARD = [
    "50% off: {x}[a]",
    "città/ñ",
    "a//b",
    "/a",
    "a/",
    "..",
    ".",
    "./a",
    "../a",
    "..a",
    "_x2f_",
    "a\nb",
    "é😀",
]
ANY_NAME = st.text(min_size=1, max_size=60) | st.sampled_from([*HARD, "x" * 400])


@pytest.mark.parametrize(
    ("name", "tracked"),
    [
        ("always_mail.doubly_robust", "always_mail.doubly_robust"),
        ("model.roc_auc", "model.roc_auc"),
        ("always città/ñ", "always città/ñ"),
        ("always_50%_off:_{x}[a].doubly_robust", "always_50_x25__off:__x7b_x_x7d__x5b_a_x5d_.doubly_robust"),
        ("a//b", "a_x2f__x2f_b"),
        ("..", "_x2e_."),
        ("_x2f_", "_x5f_x2f_"),
    ],
)
def test_valid_names_stay_and_others_are_spelt(name, tracked):
    assert tracked_name(name) == tracked
    assert original_name(tracked) == name


@given(ANY_NAME)
@example("\n")
@example("mail\n")
def test_mlflow_takes_any_name(name):
    tracked = tracked_name(name)
    _validate_metric(tracked, 1.0, 0, 0)
    _validate_param(tracked, "1")
    if len(tracked) < 250:
        assert original_name(tracked) == name
    if name.endswith("\n"):
        # MLflow's pattern ends in $, which lets a last line feed through by mistake; it is spelt as all others are.
        assert tracked != name
        return
    try:
        _validate_metric(name, 1.0, 0, 0)
    except MlflowException:
        assert tracked != name
    else:
        assert tracked == name or "_x" in name


@given(st.sets(ANY_NAME))
def test_no_two_names_become_one(names):
    assert len({tracked_name(name) for name in names}) == len(names)
    keys = metric_keys(names)
    assert len({tracked_name(key) for key in keys.values()}) == len(names)


def test_long_names_that_begin_alike_stay_two():
    first, second = (tracked_name("x" * 300 + end) for end in "ab")
    assert (len(first), len(second)) == (250, 250)
    assert first != second
