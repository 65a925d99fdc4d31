"""What the README tells a newcomer to type works, and what it describes is there."""

import re
import shlex
from pathlib import Path

import pytest

from sintonia.cli import main

PROJECT = Path(__file__).resolve().parents[1]
TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(sintonia \w+ ?[^`\n]*)$|`(sintonia \w+ [^`]*)`", TEXT, re.MULTILINE)))
WORDS = [shlex.split(block or inline) for block, inline in COMMANDS]


# The command with a folder of one's own is run by test_own_source_of_the_readme_builds_and_own_features_are_told.
@pytest.mark.parametrize("words", [w for w in WORDS if not {"--help", "--config-dir"} & set(w)], ids=" ".join)
def test_command_of_the_readme_composes(words, capsys, tmp_path):
    verb, *overrides = [word for word in words[1:] if word != "-m"]
    for override in overrides:
        # A sweep is composed value by value.
        key, _, values = override.partition("=")
        sweep = values.split(",") if key not in ("list",) and "[" not in values else [values]
        for value in sweep:
            assert main(["config", verb, f"{key}={value}"]) in (0, None), capsys.readouterr().err


def test_readme_names_commands(capsys):
    assert {words[1] for words in WORDS} >= {"build", "train", "score", "review"}


def test_own_source_of_the_readme_builds_and_own_features_are_told(tmp_path, monkeypatch, capsys):
    source, _, own, *_ = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    family, *_ = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "tickets_1.csv").write_text(
        "Scontrino;Data;Ora;Tessera;Importo;Caricato\n"
        "1;31/01/2025;18:30;7;12,50;01/02/2025 03:00\n"
        "2;31/01/2025;18:40;;1,00;01/02/2025 03:00\n"
    )
    options = tmp_path / "my" / "source"
    options.mkdir(parents=True)
    (options / "shop.yaml").write_text(source.replace("/data/exports", str(exports)))
    monkeypatch.chdir(tmp_path)
    assert main(["build", "--config-dir", "my", "source=shop"]) in (0, None)
    said = capsys.readouterr().out
    assert re.search(r"tickets +2 = +1 \+ +1", said), said
    assert (tmp_path / "workspace/shop/rejected/tickets.parquet").is_file()
    (tmp_path / "my" / "features").mkdir()
    (tmp_path / "my" / "features" / "shop.yaml").write_text(own)
    (tmp_path / "my" / "shop_families.py").write_text(family)
    assert main(["features", "--config-dir", "my", "source=shop", "features=shop"]) in (0, None)
    said = capsys.readouterr().out
    for name in (
        "own__gift_share__365d",
        "own__gift_days_since",
        "evenings__share__30d",
        "kinds__purchase__30d",
    ):
        assert f"  {name} " in said


def test_tree_of_the_readme_is_the_tree():
    tree = TEXT.split("## The house")[1].split("```")[1]
    named = set(
        re.findall(
            r"\w+", " ".join(re.split(r"  +", line)[1] for line in tree.splitlines() if line.startswith("  "))
        )
    )
    package = PROJECT / "src/sintonia"
    there = {
        path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    missing = there - named - {"__init__", "__main__", "progress", "compiled"}
    assert not missing
