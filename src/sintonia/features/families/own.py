"""Families a user writes in Python: one function from a `Frame` to features, named by its module or its file."""

import importlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from inspect import isfunction
from pathlib import Path
from types import ModuleType

from sintonia.errors import ConfigError, InputError, hint, unknown
from sintonia.features.families.frame import Frame
from sintonia.features.families.measured import readable_columns
from sintonia.features.measures import Feature
from sintonia.features.plan import plan

KEY = "features.families_from"


def own_family(reference: str, frame: Frame) -> list[Feature]:
    """Return the features of `folder/file.py:function` or `module:function`.

    Raises
    ------
    ConfigError
        When the reference names no function, or the function gives something else than features over the
        interactions' columns.
    InputError
        When there is no such file or module.
    """
    made = _function(reference)(frame)
    if not isinstance(made, list) or not all(isinstance(feature, Feature) for feature in made):
        raise ConfigError(f"{KEY}: '{reference}' gave no list of features; return [Feature(...), ...].")
    for column in plan(made).columns:
        if column not in readable_columns():
            raise unknown(f"column in the features of '{reference}':", column, readable_columns())
    return made


def _function(reference: str) -> Callable[[Frame], list[Feature]]:
    place, _, name = reference.rpartition(":")
    if not place or not name:
        raise ConfigError(
            f"{KEY}='{reference}' names no function; write folder/file.py:my_family or my_module:my_family."
        )
    module = _module(place)
    function = getattr(module, name, None)
    if not callable(function):
        own = (value for value in vars(module).values() if isfunction(value))
        there = [value.__name__ for value in own if value.__module__ == module.__name__]
        raise ConfigError(f"{KEY}: '{place}' has no function '{name}'; {hint(name, there)}")
    found: Callable[[Frame], list[Feature]] = function
    return found


def _module(place: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place).expanduser().resolve()
        if not path.is_file():
            raise InputError(f"{KEY}: no file '{place}'; looked for {path}.")
        return _loaded(path, path.stat().st_mtime_ns)
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError:
        raise InputError(
            f"{KEY}: no module '{place}' is installed; name its file instead, folder/{place}.py:my_family."
        ) from None


@lru_cache(maxsize=64)
def _loaded(path: Path, changed: int) -> ModuleType:
    """Return a file as a module, loaded anew when it has changed."""
    spec = importlib.util.spec_from_file_location(f"sintonia_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{KEY}: '{path}' is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{KEY}: '{path}' cannot be loaded: {type(error).__name__}: {error}") from error
    return module
