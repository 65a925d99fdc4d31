"""Overrides of the command line, prepared for Hydra: keys checked against the settings, free text quoted.

Hydra's grammar gives commas, parentheses, quotes and `${` a meaning of their own, and OmegaConf reads `${`
once more; a file name must pass both as it was typed.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from sintonia.core.config import conf_dir
from sintonia.core.config.renamed import renamed_error
from sintonia.core.config.verbs import VERBS
from sintonia.core.errors import ConfigError, unknown

FREE_TEXT_KEYS = (
    "list",
    "suppress",
    "segment",
    "customer",
    "reviewer",
    "cards",
    "remark",
    "out",
    "records",
    "truth",
    "fields.*",
    "identity.overrides",
    "key",
    "workspace",
    "source.root",
    "source.silos.*.path",
    "source.silos.*.time_format",
    "source.silos.*.occurred_at",
    "source.silos.*.known_at",
    "source.silos.*.updated_at",
    "source.silos.*.deleted",
    "source.silos.*.identifiers.*",
    "source.silos.*.interactions.*",
    "source.silos.*.attributes.*",
    "source.silos.*.contacts.*",
    "source.silos.*.decisions.*",
    "features.measures.*.expression",
    "features.measures.*.where",
    "tracking.uri",
    "effects_table",
    "engagement.rules.*.where",
    "engagement.rules.*.because",
    "engagement.value",
)
"""Keys whose value is a path, a column name or an expression: it reaches the program exactly as typed.

Two words keep Hydra's meaning there too: `null` (nothing) and `???` (not given).
"""

PATH_KEYS = (
    "list",
    "suppress",
    "effects_table",
    "out",
    "cards",
    "records",
    "workspace",
    "source.root",
    "identity.overrides",
)
"""Keys whose value is a file or a folder."""

_OVERRIDE = re.compile(
    r"(?P<sign>\+\+|\+|~|)(?P<key>[^=@]*)(?P<package>@[^=]*)?(?P<given>=(?P<value>.*))?", re.DOTALL
)


def is_free_text(key: str) -> bool:
    """Return whether values of this key are passed on as typed.

    Examples
    --------
    >>> is_free_text("list"), is_free_text("source.silos.crm.path"), is_free_text("task.horizon_days")
    (True, True, False)
    """
    return any(fnmatchcase(key, pattern) for pattern in FREE_TEXT_KEYS)


def quoted(text: str) -> str:
    r"""Return the text quoted so that Hydra and OmegaConf, one after the other, give it back unchanged.

    Both let backslashes be, except before what they could escape: `${` for OmegaConf, the closing quote for
    Hydra; there each backslash is doubled.

    Examples
    --------
    >>> print(quoted("clienti, è nuovi (1).csv"))
    'clienti, è nuovi (1).csv'
    >>> print(quoted("dall'${x}"))
    'dall\'\${x}'
    """
    if text in ("null", "???"):
        return text
    escaped = re.sub(r"(\\*)('|\Z)", lambda match: match[1] * 2 + (r"\'" if match[2] else ""), literal(text))
    return f"'{escaped}'"


def literal(text: str) -> str:
    r"""Return the text so that OmegaConf gives it back unchanged: `${` in it is no reference to a key.

    Examples
    --------
    >>> print(literal("dall'${x}"))
    dall'\${x}
    """
    return re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", text)


def config_groups(verb: str) -> dict[str, str | None]:
    """Return the verb's configuration groups and the option each has by default, in their order.

    A group that is used under other keys than its own bears them: `task@tasks.churn`.
    """
    text = (conf_dir() / f"{verb}.yaml").read_text(encoding="utf-8")
    defaults = re.findall(r"^  - (\w+(?:@[\w.]+)?): (\S+)", text, re.MULTILINE)
    return {group: None if option == "null" else option for group, option in defaults}


def options(group: str, config_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """Return the options that ship for a group, and those of a folder of the user's own, sorted."""
    folders = [conf_dir(), *([] if config_dir is None else [Path(config_dir).expanduser()])]
    name = group.partition("@")[0]
    return sorted({path.stem for folder in folders for path in (folder / name).glob("*.yaml")})


@dataclass(frozen=True)
class GroupChoice:
    """An option chosen for a group: `+` or nothing before it, the group with its package, the option's name."""

    sign: str
    group: str
    option: str


def group_choice(verb: str, word: str) -> GroupChoice | None:
    """Return which option the word chooses, quotes around it taken off, or None when it chooses none.

    Examples
    --------
    >>> group_choice("train", "task=churn")
    GroupChoice(sign='', group='task', option='churn')
    >>> group_choice("train", "seed=7") is None
    True
    """
    match = _OVERRIDE.fullmatch(word)
    if match is None or match["sign"] == "~" or match["value"] is None:
        return None
    group = match["key"] + (match["package"] or "")
    value = match["value"]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return GroupChoice(match["sign"], group, value) if group in config_groups(verb) else None


def keys(kind: type[Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a settings dataclass, groups entered, dictionaries not."""
    for name, inner in get_type_hints(kind).items():
        yield prefix + name
        if isinstance(inner, type) and is_dataclass(inner):
            yield from keys(inner, f"{prefix}{name}.")


def kind_of(verb: str, key: str, value: object = None) -> Any:  # noqa: ANN401
    """Return the type of the value a key of the verb holds; `value` is what was to be set, for the message.

    Raises
    ------
    ConfigError
        With its name of today, or the nearest right one, when the verb has no such key.

    Examples
    --------
    >>> kind_of("train", "task.horizon_days")
    <class 'int'>
    """
    kind: Any = VERBS[verb]
    parent = ""
    for part in key.split("."):
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            names = get_type_hints(kind) if is_dataclass(kind) else {}
            if part not in names:
                right = [parent + name for name in names] or [parent[:-1]]
                raise renamed_error(key, value, names) or unknown(
                    "key", key, right if parent else [*right, *config_groups(verb), *_same_ending(verb, key)]
                )
            kind = names[part]
        parent += f"{part}."
    return kind


def _same_ending(verb: str, key: str) -> list[str]:
    """Return the full key whose last name resembles this one, for a key given without its group.

    Of several with one ending, the one with the fewest groups before it.
    """
    deepest_first = sorted(keys(VERBS[verb]), key=lambda full: -full.count("."))
    by_ending = {full.rpartition(".")[2]: full for full in deepest_first if "." in full}
    return [by_ending[near] for near in get_close_matches(key.rpartition(".")[2], by_ending, n=1, cutoff=0.8)]


def for_hydra(verb: str, typed: Sequence[str]) -> list[str]:
    """Return the overrides as Hydra should read them: known keys set or added alike, free text quoted.

    Hydra asks for `+` before a key that a YAML file leaves out; here the dataclasses say what exists, so
    `key=`, `+key=` and `++key=` mean the same.

    Raises
    ------
    ConfigError
        For a word that is no override, for a key or group the verb does not have, and for Hydra's own keys.

    Examples
    --------
    >>> for_hydra("score", ["list=clienti, nuovi.csv", "reasons.count=2", "engine=duckdb"])
    ["++list='clienti, nuovi.csv'", '++reasons.count=2', 'engine=duckdb']
    """
    return [_for_hydra(verb, word) for word in typed]


def _for_hydra(verb: str, word: str) -> str:
    match = _OVERRIDE.fullmatch(word)
    if match is None or not match["key"] or (match["given"] is None and match["sign"] != "~"):
        example = "list=customers.csv" if verb == "score" else "output=json"
        raise ConfigError(f"Cannot read '{word}'; write key=value, for example {example}.")
    key = match["key"]
    package = match["package"] or ""
    if re.match(r"hydra[./]", key):
        raise ConfigError(
            f"'{word}' is a setting of Hydra's, which sintonia does not use: runs leave no folders, and those of a "
            "sweep follow one another. Leave it out."
        )
    if key + package in config_groups(verb):
        # Hydra cannot override an option by none, but can take the group away.
        return f"~{key}{package}" if match["value"] == "null" else word
    kind_of(verb, key, match["value"])
    if match["sign"] == "~":
        return word
    value = quoted(match["value"]) if is_free_text(key) else match["value"]
    return f"++{key}{package}={value}"
