"""The wheel as a stranger installs it: command, configuration and templates, from another folder."""

import os
import sys
import sysconfig
import venv
from pathlib import Path
from subprocess import run

import pytest
import yaml

import sintonia


def _call(*command: str | Path, folder: Path) -> str:
    """What the command prints, run in a folder and without our source on the path."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ended = run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def installed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel, and of this one only what it depends on.

    A line in a .pth file lends it this environment's packages; .pth files found there are not followed, so
    that an editable sintonia of this environment stays out.
    """
    folder = tmp_path_factory.mktemp("wheel")
    _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, folder=project)
    venv.create(folder / "env", with_pip=True)
    programs = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    _call(
        programs / "python",
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        *folder.glob("*.whl"),
        folder=folder,
    )
    places = _call(
        programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder
    )
    (Path(places.strip()) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return programs


def test_the_wheel_s_own_modules_are_what_runs(installed: Path, tmp_path: Path):
    where = _call(installed / "python", "-c", "import sintonia; print(sintonia.__file__)", folder=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)


def test_the_installed_command_helps_from_another_folder(installed: Path, tmp_path: Path):
    assert "sintonia train -m task=churn,purchase" in _call(installed / "sintonia", "--help", folder=tmp_path)
    assert _call(installed / "sintonia", "--version", folder=tmp_path) == f"sintonia {sintonia.__version__}\n"


def test_the_configuration_ships_and_composes_from_another_folder(installed: Path, tmp_path: Path):
    shown = yaml.safe_load(_call(installed / "sintonia", "config", "train", "task=purchase", folder=tmp_path))
    assert shown["task"]["name"] == "purchase"


def test_everything_that_is_no_module_ships_too(installed: Path, project: Path):
    package = Path(
        _call(
            installed / "python", "-c", "import sintonia; print(sintonia.__path__[0])", folder=project.parent
        ).strip()
    )
    source = project / "src" / "sintonia"
    loose = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.suffix in (".j2", ".typed", ".css", ".js")
    }
    loose |= {
        Path("conf") / path.relative_to(project / "conf") for path in (project / "conf").rglob("*.yaml")
    }
    assert {path for path in loose if not (package / path).is_file()} == set()


def test_the_version_is_the_same_in_both_places(project: Path):
    import tomllib

    assert (
        tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"] == sintonia.__version__
    )
