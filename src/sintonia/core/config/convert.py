"""Plain values into dataclasses: every key known, every value of its declared type, or one line that says so.

OmegaConf's own structured configs were tried and left: frozen dataclasses inside dataclasses are read-only to
its merge, and its messages name types of its own.
"""

from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from sintonia.core.config.renamed import renamed_error
from sintonia.core.errors import ConfigError, unknown

MISSING = "???"
"""What a YAML file writes where a value must be given."""

_MEANING = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list, [a, b]",
}


def convert(kind: Any, value: Any, where: str, partial: bool = False) -> Any:  # noqa: ANN401
    """Return the value as the declared type: a dataclass, list, dict, optional or plain value.

    Parameters
    ----------
    kind
        A dataclass, `list[...]`, `dict[str, ...]`, `... | None`, `int`, `float`, `str` or `bool`.
    value
        What the YAML files and the command line gave: dictionaries, lists and plain values.
    where
        The dotted key, for messages.
    partial
        Whether a text that must be given may still be missing.

    Raises
    ------
    ConfigError
        For an unknown key, a missing value or a wrong type.

    Examples
    --------
    >>> convert(list[float], [1, 2.5], "split.ratios")
    [1.0, 2.5]
    >>> convert(int, "abc", "customers")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.ConfigError: customers=abc is not a whole number.
    """
    if get_origin(kind) is UnionType:
        kind = NoneType if value is None else next(arm for arm in get_args(kind) if arm is not NoneType)
    if value == MISSING and not (partial and kind is str):
        raise ConfigError(f"{where} must be given: write {where}=...")
    if is_dataclass(kind):
        return _fill(kind, value, where, partial)
    if get_origin(kind) is list and isinstance(value, list):
        return [convert(get_args(kind)[0], item, where, partial) for item in value]
    if get_origin(kind) is dict and isinstance(value, dict):
        return {
            str(key): convert(get_args(kind)[1], item, f"{where}.{key}", partial)
            for key, item in value.items()
        }
    return _plain(get_origin(kind) or kind, value, where)


def _fill(kind: Any, value: Any, where: str, partial: bool) -> Any:  # noqa: ANN401
    """Return the dataclass with the given values; what is not given keeps its default."""
    prefix = f"{where}." if where else ""
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}={value} is one value, but {where} holds keys; set them as {prefix}KEY=VALUE."
        )
    hints = get_type_hints(kind)
    for key in value:
        if key not in hints:
            full = f"{prefix}{key}"
            raise renamed_error(full, value[key]) or unknown("key", full, [prefix + name for name in hints])
    return kind(**{key: convert(hints[key], item, prefix + key, partial) for key, item in value.items()})


def _plain(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    """Return the plain value, a whole number also where any number or text may stand."""
    if kind is float and type(value) is int:
        return float(value)
    if kind is str and type(value) in (int, float):
        return str(value)
    if type(value) is not kind:
        shown = "null" if value is None else value
        raise ConfigError(
            f"{where}={shown} is not {_MEANING.get(kind, 'a list of keys and values, {a: 1}')}."
        )
    return value
