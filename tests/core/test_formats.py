"""Formats: none written down is format 1, a newer one is refused in one line, and a number is written in one step."""

import json

import pytest

from sintonia.core.errors import UnsupportedFormatError
from sintonia.core.formats import (
    WORKSPACE_FORMAT,
    check_format,
    prepare_workspace,
    workspace_format,
    write_workspace_format,
)
from sintonia.core.paths import WorkspacePaths


def test_a_workspace_without_a_number_has_format_1(tmp_path):
    assert workspace_format(tmp_path) == 1


def test_a_written_format_is_read_again_and_nothing_else_is_left_behind(tmp_path):
    manifest = write_workspace_format(tmp_path / "shop")
    assert (
        json.loads(manifest.read_text())["format"] == WORKSPACE_FORMAT == workspace_format(tmp_path / "shop")
    )
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["workspace.json"]


@pytest.mark.parametrize("number", [WORKSPACE_FORMAT + 1, 0, "2", None, True])
def test_a_format_this_version_does_not_know_is_refused_in_one_line_that_names_it(tmp_path, number):
    WorkspacePaths(tmp_path).manifest.write_text(json.dumps({"format": number}))
    with pytest.raises(UnsupportedFormatError) as raised:
        workspace_format(tmp_path)
    message = str(raised.value)
    assert f"The workspace '{tmp_path}' has format {number}; sintonia " in message
    assert "reads 1 to 2. Use the version of sintonia that wrote it, or a newer one." in message
    assert "\n" not in message
    with pytest.raises(UnsupportedFormatError):
        prepare_workspace(tmp_path)


def test_the_only_format_there_is_is_named_alone():
    with pytest.raises(UnsupportedFormatError, match=r"has format 2; sintonia .* reads 1\. "):
        check_format("The store in 'shop'", 2, newest=1)


def test_a_new_workspace_gets_the_newest_format(tmp_path):
    assert prepare_workspace(tmp_path / "shop") == WORKSPACE_FORMAT
    assert WorkspacePaths(tmp_path / "shop").manifest.is_file()


@pytest.mark.parametrize("name", ["store/current.json", "mlflow.db"])
def test_a_workspace_in_use_keeps_its_format_until_it_is_upgraded(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    assert prepare_workspace(tmp_path) == 1
    assert not WorkspacePaths(tmp_path).manifest.exists()
