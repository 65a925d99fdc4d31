"""Composed settings: YAML files and overrides, through Hydra, into the dataclass of a verb.

The one road to settings, for the command line and for Python alike, and the only user of Hydra and OmegaConf.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from sintonia.core.config import conf_dir
from sintonia.core.config.convert import from_plain
from sintonia.core.config.overrides import (
    config_groups,
    for_hydra,
    group_choice,
    kind_of,
    literal,
    options,
    quoted,
)
from sintonia.core.config.renamed import renamed_error
from sintonia.core.config.verbs import VERBS, Settings
from sintonia.core.errors import ConfigError, InputError, unknown

Overrides = Sequence[str] | Mapping[str, Any]
"""Words as on the command line, or a nested mapping of options and keys."""

_OWN = "yours"
"""The name, for Hydra, of an option that is a file or a mapping of the user's own."""

_LOCK = Lock()
"""Hydra keeps its search path in a global: one composition at a time."""


def compose(
    verb: str,
    overrides: Overrides = (),
    config_dir: str | os.PathLike[str] | None = None,
    partial: bool = False,
) -> Settings:
    """Return the settings of a verb: its YAML files with the overrides on top, every name and type checked.

    Parameters
    ----------
    verb
        What the settings are for, as `train`.
    overrides
        Words as on the command line, `["task=churn", "model.num_leaves=15"]`, or a nested mapping. In a mapping, text
        under the name of a group chooses an option; a mapping sets keys of the option that is chosen by default,
        unless it has `defaults`, a list of options to start from: then it is an option itself, as a YAML file would
        be. In both, a path to a YAML file of the user's own chooses that file. Texts of a mapping are literal: `${x}`
        in them is no reference to another key.
    config_dir
        A folder of the user's own with options in folders named as their groups, `config_dir/source/shop.yaml`.
    partial
        Whether texts that must be given may be missing, and show as '???': for reading, not for running.

    Raises
    ------
    ConfigError
        For a verb, an option or a key that does not exist, and a value of the wrong type or not given.
    InputError
        When the folder or a YAML file of the user's own is not there.

    Examples
    --------
    >>> compose("train", ["task=purchase", "model.num_leaves=15"]).task.name
    'purchase'
    >>> compose("train", {"task": "churn", "model": {"num_leaves": 15}}).model.num_leaves
    15
    >>> compose("train", {"task": "chrun"})
    Traceback (most recent call last):
    ...
    sintonia.core.errors.ConfigError: Unknown task 'chrun'; did you mean 'churn'? Choose category, churn, label, next_best_action, purchase, value.
    """  # noqa: E501
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from omegaconf import OmegaConf

    if verb not in VERBS:
        raise unknown("verb", verb, VERBS)
    with TemporaryDirectory(prefix="sintonia-") as own, _LOCK, plain_errors(verb):
        words, keys = _parted(verb, overrides, Path(own))
        folders = [] if config_dir is None else [_folder(config_dir)]
        words, beside = _with_own_files(verb, words, Path(own))
        searched = [f"file://{folder}" for folder in (*folders, *beside, own)]
        ready = [*for_hydra(verb, words), f"hydra.searchpath=[{','.join(map(quoted, searched))}]"]
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            composed = hydra_compose(verb, ready)
        OmegaConf.set_struct(composed, False)
        plain = _resolved(OmegaConf.merge(composed, keys), partial)
    settings: Settings = from_plain(VERBS[verb], plain, "")
    return settings


def sweep(
    verb: str, words: Sequence[str], config_dir: str | os.PathLike[str] | None = None
) -> list[list[str]]:
    """Return the words of every run of a sweep: each combination of values, the last word's changing fastest.

    Values are a list `a,b`, `choice(a,b)`, `range(1,5)`, `glob(*)` over the options of a group, sorted or shuffled,
    as Hydra's grammar has them.

    Raises
    ------
    ConfigError
        For a word that cannot be read, and a sweep whose values cannot be counted.

    Examples
    --------
    >>> sweep("train", ["task=churn,value", "seed=range(1,3)", "workspace=a, b"])[1]
    ['task=churn', '++seed=2', 'workspace=a, b']
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Glob

    parser = OverridesParser.create()
    by_key: dict[str, list[str]] = {}
    for word, ready in zip(words, for_hydra(verb, words), strict=True):
        with plain_errors(verb):
            override = parser.parse_override(ready)
            key = override.get_key_element()
            value = override.value()
            if isinstance(value, Glob):
                names = value.filter(options(override.key_or_group, config_dir))
                by_key[key] = [f"{key}={name}" for name in names]
            elif not override.is_sweep_override():
                by_key[key] = [word]
            elif override.is_discrete_sweep():
                by_key[key] = [f"{key}={_as_typed(element)}" for element in override.sweep_iterator()]
            else:
                raise ConfigError(f"Cannot count the values of '{word}'; list them, or give range(1,5).")
        if not by_key[key]:
            choices = options(override.key_or_group, config_dir)
            raise ConfigError(f"'{word}' stands for no value; choose {', '.join(choices) or 'at least one'}.")
    return [list(run) for run in product(*by_key.values())]


def _as_typed(element: Any) -> str:  # noqa: ANN401
    """Return a value of a sweep as it is written in a single run; paths to YAML files without quotes."""
    from hydra.core.override_parser.types import QuotedString, Transformer

    text = element.text if isinstance(element, QuotedString) else element
    return text if _is_yaml(text) else Transformer.str(element)


def _is_yaml(option: object) -> bool:
    return isinstance(option, str) and option.endswith((".yaml", ".yml"))


@contextmanager
def plain_errors(verb: str) -> Iterator[None]:
    """Turn what Hydra and OmegaConf object to into one line in the user's words."""
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    try:
        yield
    except MissingConfigException as error:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        choices = [option for option in error.options or [] if option != _OWN]
        raise renamed_error(group, name) or unknown(group or "configuration", name, choices) from None
    except OverrideParseException as error:
        word = error.override.lstrip("+")
        raise ConfigError(
            f"Cannot read '{word}'; quote special characters, \"key='a, b'\", or list [a,b]."
        ) from None
    except (HydraException, OmegaConfBaseException) as error:
        reason = " ".join(str(error).split())
        if reason.startswith("Ambiguous value"):
            reason = f"Several values are a sweep: write `sintonia {verb} -m ...`; a list is written [a,b]."
        overridden = re.search(r"Could not override '/?([\w/]+)'", reason)
        renamed = renamed_error(overridden[1]) if overridden else None
        raise renamed or ConfigError(reason) from None


def _resolved(composed: Any, partial: bool) -> Any:  # noqa: ANN401
    """Return plain dictionaries and lists, references to other keys followed; nothing missing unless `partial`."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain = OmegaConf.to_container(composed, resolve=True)
        missing = sorted(OmegaConf.missing_keys(composed))
    except OmegaConfBaseException as error:
        reason = " ".join(str(error).splitlines()[0].split())
        raise ConfigError(f"Cannot resolve {error.full_key or 'the configuration'}: {reason}.") from None
    if missing and not partial:
        raise ConfigError(f"{missing[0]} must be given: write {missing[0]}=...")
    return plain


def _folder(config_dir: str | os.PathLike[str]) -> Path:
    folder = Path(config_dir).expanduser().absolute()
    if not folder.is_dir():
        raise InputError(f"--config-dir {os.fspath(config_dir)} is no folder; looked for {folder}.")
    return folder


def _parted(verb: str, overrides: Overrides, own_folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Return the words that choose options, and the keys to set on what they compose.

    A mapping that is an option of its own is written to the folder `own_folder`, as the YAML file it might have been.
    """
    if isinstance(overrides, str):
        raise ConfigError(f"Overrides are a list of words or a mapping; write ['{overrides}'].")
    if not isinstance(overrides, Mapping):
        return list(overrides), {}
    groups = config_groups(verb)
    words: list[str] = []
    keys: dict[str, Any] = {}
    for name, value in overrides.items():
        group, _, package = name.partition("@")
        if name in groups and (value is None or isinstance(value, str | os.PathLike)):
            words.append(f"{name}={'null' if value is None else os.fspath(value)}")
        elif name in groups and isinstance(value, Mapping) and "defaults" in value:
            _write(own_folder / group / f"{_OWN}_{package or group}.yaml", value)
            words.append(f"{name}={_OWN}_{package or group}")
        else:
            key = package or group
            kind_of(verb, key, value)
            nested = keys
            *parents, last = key.split(".")
            for parent in parents:
                nested = nested.setdefault(parent, {})
            nested[last] = _plain(value)
    return words, keys


def _write(path: Path, value: Mapping[str, Any]) -> None:
    import yaml

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(_plain(value), allow_unicode=True), encoding="utf-8")


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return the value as YAML would hold it: dictionaries, lists, literal texts, numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, str | os.PathLike):
        return literal(os.fspath(value))
    if isinstance(value, date):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value  # a NumPy scalar has one


def _with_own_files(verb: str, words: Sequence[str], own_folder: Path) -> tuple[list[str], list[Path]]:
    """Return the words with files of the user's own as options, and folders to search for files beside them.

    A file is copied to `own_folder`, into a folder named as the group, under a name that no option has: a file with the
    name of an option that ships is still the one that is chosen.
    """
    words_ready, search_folders = [], []
    for word in words:
        choice = group_choice(verb, word)
        if choice is None or not _is_yaml(choice.option):
            words_ready.append(word)
            continue
        path = Path(choice.option).expanduser().absolute()
        if not path.is_file():
            if "," in choice.option:  # several files: Hydra says that they are a sweep
                words_ready.append(word)
                continue
            raise InputError(
                f"{choice.group}={choice.option} is no file; looked for {path}. Give a YAML file, or an option: "
                f"{', '.join(options(choice.group))}."
            )
        group, _, package = choice.group.partition("@")
        name = f"{_OWN}_{package or group}"
        target = own_folder / group / f"{name}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
        words_ready.append(f"{choice.sign}{choice.group}={name}")
        if path.parent.name == group:
            search_folders.append(path.parent.parent)
    return words_ready, search_folders
