"""The notebooks run from the first cell to the last, in order, and are committed without what they print."""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_opens_with_a_title(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert "".join(cells[0]["source"]).startswith("# ")
    assert all(
        not cell["outputs"] and cell["execution_count"] is None
        for cell in cells
        if cell["cell_type"] == "code"
    )
    assert not [
        line for text in code(path) for line in text.splitlines() if line.startswith(("def ", "class "))
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of matplotlib and shap
def test_the_notebooks_run_one_after_another(tmp_path, monkeypatch, capsys):
    """A failed verb returns its exit code instead of raising, so that is looked at too."""
    import sintonia.cli

    verbs = []
    run = sintonia.cli.main
    monkeypatch.setattr(sintonia.cli, "main", lambda words: verbs.append((words, run(words))))
    monkeypatch.chdir(tmp_path)
    for path in NOTEBOOKS:
        names = {"__name__": "__main__"}
        for text in code(path):
            exec(compile(text, path.name, "exec"), names)
    assert [words for words, code in verbs if code] == [], capsys.readouterr().err
    assert (tmp_path / "workspace/notebooks/review/churn.html").is_file()
    assert list((tmp_path / "workspace/notebooks/models").glob("*churn*.md"))
