"""Plain values into dataclasses: every key known, every value of its declared type, or one line that says so.

Settings come from YAML files and overrides, stored documents (figures of a run, what features were fitted to) from
JSON; pydantic reads both, strictly, into the standard library's frozen dataclasses, and its errors become ours. The
way back is `dataclasses.asdict`.
"""

import json
from collections.abc import Sequence
from dataclasses import is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from sintonia.core.config.renamed import renamed_error
from sintonia.core.errors import ConfigError, InputError, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

MISSING = "???"
"""What a YAML file writes where a value must be given."""

_MEANING = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "list": "a list, [a, b]",
    "tuple": "a list, [a, b]",
    "dict": "a list of keys and values, {a: 1}",
    "mapping": "a list of keys and values, {a: 1}",
    "datetime": "a time, 2026-01-31T00:00:00",
}
"""What pydantic's kinds of error, by their first word, miss in the value."""


def from_plain(kind: Any, plain: object, where: str, remedy: str | None = None) -> Any:  # noqa: ANN401
    """Return plain values as the declared type: dataclasses, lists, tuples, dictionaries, dates, optional values.

    A whole number may stand for any number, and a number for text; nothing else is taken for what it is not.

    Parameters
    ----------
    kind
        A dataclass, or any type that annotates a field of one.
    plain
        What YAML or JSON gave: dictionaries, lists, texts, numbers, true, false and null.
    where
        For settings the dotted key, empty for all of a verb's; for a document what it is, "the review's figures".
    remedy
        What to do when a stored document cannot be read, "train the model again": errors are then about the document.

    Raises
    ------
    ConfigError
        For settings with an unknown key, a missing value or one of a wrong type.
    InputError
        For a stored document of another shape, with the remedy.

    Examples
    --------
    >>> from_plain(list[float], [1, 2.5], "split.ratios")
    [1.0, 2.5]
    >>> from_plain(int, "abc", "customers")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.ConfigError: customers=abc is not a whole number.
    >>> from_plain(tuple[int, ...], ["x"], "the list of seeds", remedy="train the model again")
    Traceback (most recent call last):
    ...
    sintonia.core.errors.InputError: Cannot read the list of seeds (x is not a whole number); train the model again.
    """
    root = where if remedy is None else ""
    try:
        return _validated(kind, plain, root)
    except ConfigError as error:
        if remedy is None:
            raise
        reason = str(error).rstrip(".")
        raise InputError(f"Cannot read {where} ({reason}); {remedy}.") from None


@cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":  # noqa: ANN401
    from pydantic import ConfigDict, TypeAdapter

    # A configuration is for what has none of its own; a dataclass takes that of the tuple around it.
    config = ConfigDict(strict=True, extra="forbid")
    return TypeAdapter(tuple[kind], config=config)


def _validated(kind: Any, plain: object, where: str) -> Any:  # noqa: ANN401
    from pydantic import ValidationError

    # Read as JSON, strictness asks for dictionaries, not for dataclasses that are ready.
    cleaned = _without_surrogates(plain)
    has_surrogates = cleaned != plain
    text = json.dumps((cleaned,))
    try:
        value = _adapter(kind).validate_json(text)[0]
        return _with_surrogates(value) if has_surrogates else value
    except ValidationError as error:
        errors = error.errors(include_url=False)
    numbers = [one for one in errors if _is_number_for_text(one)]
    if numbers:
        copied = json.loads(text)
        for one in numbers:
            _put(copied, one["loc"], str(one["input"]))
        return _validated(kind, _with_surrogates(copied[0]) if has_surrogates else copied[0], where)
    # As a reader would look: first for names that do not exist, then for values.
    first = min(errors, key=lambda one: one["type"] != "unexpected_keyword_argument")
    raise _plain_error(kind, first, where)


_SURROGATES = {code: code - 0xD800 + 0xF0000 for code in range(0xD800, 0xE000)}
"""Lone surrogates, as names of files that are not UTF-8 have them, to characters that pydantic takes: private ones."""

_PRIVATE = {private: code for code, private in _SURROGATES.items()}


def _without_surrogates(plain: Any) -> Any:  # noqa: ANN401
    """Return the plain value with lone surrogates replaced, which no JSON may hold."""
    if isinstance(plain, str):
        return plain if plain.isascii() else plain.translate(_SURROGATES)
    if isinstance(plain, dict):
        return {key: _without_surrogates(value) for key, value in plain.items()}
    return (
        type(plain)(_without_surrogates(value) for value in plain) if type(plain) in (list, tuple) else plain
    )


def _with_surrogates(value: Any) -> Any:  # noqa: ANN401
    """Return the value just read with its lone surrogates back; its dataclasses are nobody else's yet."""
    if isinstance(value, str):
        return value if value.isascii() else value.translate(_PRIVATE)
    if isinstance(value, dict):
        return {key: _with_surrogates(inner) for key, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_surrogates(inner) for inner in value)
    if is_dataclass(value):
        for name, inner in vars(value).items():
            object.__setattr__(value, name, _with_surrogates(inner))
    return value


def _is_number_for_text(error: "ErrorDetails") -> bool:
    return error["type"] == "string_type" and type(error["input"]) in (int, float)


def _put(plain: Any, path: Sequence[int | str], text: str) -> None:  # noqa: ANN401
    for step in path[:-1]:
        plain = plain[step]
    plain[path[-1]] = text


def _plain_error(kind: Any, error: "ErrorDetails", where: str) -> ConfigError:  # noqa: ANN401
    """Return pydantic's error in one line of ours: the dotted key, its value, what it should be."""
    path = error["loc"][1:]
    # Of a list the key is named, not the number of the element.
    key = ".".join([*([where] if where else []), *(step for step in path if isinstance(step, str))])
    value = error["input"]
    problem = error["type"]
    if problem == "unexpected_keyword_argument":
        prefix = key.removesuffix(str(path[-1]))
        names = get_type_hints(_type_at(kind, path[:-1]))
        return renamed_error(key, value, names) or unknown("key", key, [prefix + name for name in names])
    if problem == "missing":
        return ConfigError(f"{key} is missing.")
    if value == MISSING:
        return ConfigError(f"{key} must be given: write {key}=...")
    shown = "null" if value is None else value
    if problem.startswith("dataclass"):
        return ConfigError(f"{key}={shown} is one value, but {key} holds keys; set them as {key}.KEY=VALUE.")
    meaning = _MEANING.get(problem.partition("_")[0])
    subject = f"{key}={shown}" if key else str(shown)
    return ConfigError(f"{subject} is not {meaning}." if meaning else f"{subject}: {error['msg']}.")


def _type_at(kind: Any, path: Sequence[int | str]) -> Any:  # noqa: ANN401
    """Return the type of what lies at the path below a type, None aside."""
    for step in path:
        kind = _without_none(kind)
        if is_dataclass(kind):
            kind = get_type_hints(kind)[str(step)]
        else:
            kind = get_args(kind)[0 if isinstance(step, int) else 1]
    return _without_none(kind)


def _without_none(kind: Any) -> Any:  # noqa: ANN401
    arms = [arm for arm in get_args(kind) if arm is not type(None)]
    return arms[0] if len(arms) < len(get_args(kind)) else kind
