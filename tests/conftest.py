"""What every test may ask for: public data, a browser, and the folder of the project."""

import os
import shutil
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]

for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ.setdefault(name, "true")


def _real_data() -> Path:
    """The public data sets: SINTONIA_DATA, else beside the project."""
    return Path(os.environ.get("SINTONIA_DATA") or PROJECT.parent / "shared" / "data").expanduser()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, by name, what this machine cannot run."""
    if item.get_closest_marker("real_data") and not _real_data().is_dir():
        pytest.skip(f"no public data: set SINTONIA_DATA; {_real_data()} is no folder")
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        pytest.skip("no Chromium: install the package chromium")


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """The folder of public data sets; without it the test is skipped by name."""
    if not _real_data().is_dir():
        pytest.skip(f"no public data: set SINTONIA_DATA; {_real_data()} is no folder")
    return _real_data()
