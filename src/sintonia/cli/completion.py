"""Shell completion: the words that may follow, and the lines that set it up in a shell."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import is_dataclass
from glob import escape
from pathlib import Path

from sintonia.cli.figures import say
from sintonia.cli.runs import flags_of
from sintonia.core.config import VERBS
from sintonia.core.config.overrides import PATH_KEYS, config_groups, keys, kind_of, options
from sintonia.core.errors import ConfigError, SintoniaError, unknown

SCRIPTS = {
    ("install", "bash"): """\
# zsh: autoload -Uz bashcompinit && bashcompinit, before these lines.
export COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
_sintonia_complete() {
  local IFS=$'\\n'
  COMPREPLY=($(COMP_LINE="$COMP_LINE" sintonia -sc query=bash))
}
complete -o nospace -o default -F _sintonia_complete sintonia
""",
    ("uninstall", "bash"): """\
unset -f _sintonia_complete
complete -r sintonia
""",
    ("install", "fish"): """\
function _sintonia_complete
  env COMP_LINE=(commandline -cp) sintonia -sc query=fish
end
complete -c sintonia -x -a "(_sintonia_complete)"
""",
    ("uninstall", "fish"): """\
complete -c sintonia -e
functions -e _sintonia_complete
""",
}
"""The lines to evaluate, by action and shell; zsh reads bash's."""


def complete(words: list[str]) -> None:
    """Print the words that may follow, or (`install=SHELL`) the lines that set completion up in a shell.

    The lines call `sintonia -sc query=SHELL` and leave what was typed in COMP_LINE. A query stays silent about
    errors: a prompt is no place for them.

    Raises
    ------
    ConfigError
        For a shell whose lines we do not have.
    """
    request, _, shell = (words[0] if len(words) == 1 else "").partition("=")
    if request == "query":
        return say("\n".join(_offered(os.environ.get("COMP_LINE", ""))))
    if request not in ("install", "uninstall"):
        raise ConfigError("Completion takes one word; write `sintonia -sc install=bash`, or install=fish.")
    shells = [known for action, known in SCRIPTS if action == request]
    if shell not in shells:
        raise unknown("shell", shell, shells)
    return say(SCRIPTS[request, shell])


def _offered(line: str) -> list[str]:
    """Return what may follow the line. Shells split it at spaces: what holds one cannot be offered whole."""
    complete, partial = _typed(line)
    verbs = [*VERBS] if complete[:1] == ["config"] else [*VERBS, "config"]
    complete = complete[1:] if complete[:1] == ["config"] else complete
    if not complete:
        return [verb for verb in verbs if verb.startswith(partial)]
    if complete[0] not in VERBS:
        return []
    config_dir = None
    with suppress(SintoniaError):
        config_dir = flags_of(complete[0], complete[1:]).config_dir
    offered: Iterable[str] = _values(partial, config_dir) if "=" in partial else _names(complete[0], partial)
    return [word for word in dict.fromkeys(offered) if word.startswith(partial) and " " not in word]


def _typed(line: str) -> tuple[list[str], str]:
    """Return the whole words after the program's name, and the one being typed (empty after a space)."""
    words = line.split()[1:]
    return (words, "") if line.endswith(" ") or not words else (words[:-1], words[-1])


def _names(verb: str, partial: str) -> Iterator[str]:
    """Yield the groups and keys one level below the dots that are typed: `task=`, `task.`, `seed=`."""
    sign = partial[: len(partial) - len(partial.lstrip("+"))]
    yield from (f"{sign}{group}=" for group in config_groups(verb))
    for key in keys(VERBS[verb]):
        if key.count(".") == partial.count("."):
            yield f"{sign}{key}{'.' if is_dataclass(kind_of(verb, key)) else '='}"


def _values(partial: str, config_dir: str | None) -> Iterator[str]:
    """Yield the word with every value its key may take: files for a path, the options of a group."""
    key, _, start = partial.partition("=")
    if key in PATH_KEYS:
        folder, slash, name = start.rpartition("/")
        files = sorted(path.name for path in Path(folder + slash or ".").glob(f"{escape(name)}*"))
        yield from (f"{key}={folder}{slash}{file}" for file in files)
    else:
        yield from (f"{key}={option}" for option in options(key.lstrip("+"), config_dir))
