"""Code of the user's own, named by its file or module: families of features, models, formats, sections of pages."""

import importlib
import importlib.util
from functools import lru_cache
from inspect import isclass, isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

from sintonia.core.errors import ConfigError, InputError, hint


def own_object(reference: str, key: str, noun: str, example: str) -> Any:  # noqa: ANN401  a function or a class of the user's
    """Return what `folder/file.py:name` or `module:name` names.

    Parameters
    ----------
    reference
        As it is written in the settings.
    key
        The setting it is written under, for messages.
    noun
        `function` or `class`: what it must be.
    example
        A name for one, for messages.

    Raises
    ------
    ConfigError
        When the reference names no such thing, or its file cannot be loaded.
    InputError
        When there is no such file or module.
    """
    file, _, name = reference.rpartition(":")
    if not file or not name:
        raise ConfigError(
            f"{key}='{reference}' names no {noun}; write folder/file.py:{example} or my_module:{example}."
        )
    module = own_module(file, key, example)
    value = getattr(module, name, None)
    if not (isclass(value) if noun == "class" else callable(value)):
        known = [defined.__name__ for defined in defined_in(module, noun)]
        raise ConfigError(f"{key}: '{file}' has no {noun} '{name}'; {hint(name, known)}")
    return value


def defined_in(module: ModuleType, noun: str) -> list[Any]:
    """Return the functions or classes that a module defines itself, in its order."""
    is_kind = isclass if noun == "class" else isfunction
    return [
        value for value in vars(module).values() if is_kind(value) and value.__module__ == module.__name__
    ]


def own_module(file: str, key: str, example: str) -> ModuleType:
    """Return a file (`folder/file.py`) or an installed module, loaded anew when the file has changed.

    Raises
    ------
    ConfigError
        When the file cannot be loaded.
    InputError
        When there is no such file or module.
    """
    if file.endswith(".py"):
        path = Path(file).expanduser().resolve()
        if not path.is_file():
            raise InputError(f"{key}: no file '{file}'; looked for {path}.")
        return _loaded(path, path.stat().st_mtime_ns, key)
    try:
        return importlib.import_module(file)
    except ModuleNotFoundError:
        raise InputError(
            f"{key}: no module '{file}' is installed; name its file instead, folder/{file}.py:{example}."
        ) from None


@lru_cache(maxsize=64)
def _loaded(path: Path, changed: int, key: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sintonia_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{key}: '{path}' is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{key}: '{path}' cannot be loaded: {type(error).__name__}: {error}") from error
    return module


@lru_cache(maxsize=64)
def module_of_text(text: str, name: str) -> ModuleType:
    """Return the module that a text of Python defines: the text is run.

    Raises
    ------
    ConfigError
        When it cannot be run here, by a package that is not installed for instance.
    """
    module = ModuleType(name)
    try:
        exec(compile(text, f"<{name}>", "exec"), vars(module))
    except Exception as error:
        raise ConfigError(f"'{name}' cannot be loaded: {type(error).__name__}: {error}") from error
    return module
