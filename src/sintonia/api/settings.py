"""Settings of a verb from keyword arguments: options by name, keys as nested mappings, a source as a YAML file."""

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

from sintonia.cli.runs import composed, flags_of
from sintonia.config import Settings, settings
from sintonia.errors import InputError


def compose(verb: str, overrides: Mapping[str, Any]) -> Settings:
    """Return the verb's settings: text under a group's name chooses an option, a mapping sets its keys.

    A path to a YAML file under `source` is a source of one's own.

    Raises
    ------
    ConfigError
        For a key or option that does not exist, with the nearest right name, and a value of the wrong type.
    InputError
        When the YAML file does not exist.
    """
    chosen = {key: value for key, value in overrides.items() if value is not None}
    with TemporaryDirectory(prefix="sintonia-") as folder:
        words = []
        source = chosen.get("source")
        if isinstance(source, str | PathLike) and Path(source).suffix in (".yaml", ".yml"):
            path = Path(source)
            if not path.is_file():
                raise InputError(
                    f"No file '{path}'; give the YAML file of a source, or the name of one that ships."
                )
            option = Path(folder) / "source" / "yours.yaml"
            option.parent.mkdir()
            copyfile(path, option)
            chosen["source"] = "yours"
            words = ["--config-dir", folder]
        words += [f"{key}={value}" for key, value in _flat(chosen)]
        return settings(verb, composed(verb, flags_of(verb, words)))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted keys and their values in Hydra's grammar, options before the keys they hold."""
    for key, value in sorted(values.items(), key=lambda item: "." in item[0] or isinstance(item[1], Mapping)):
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _text(value)


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, str | PathLike):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(json.dumps(item) if isinstance(item, str) else _text(item) for item in value)}]"
    return json.dumps(value)
