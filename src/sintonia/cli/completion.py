"""What TAB may put after the words typed so far."""

import os
from collections.abc import Iterable
from contextlib import suppress
from glob import escape
from pathlib import Path

from sintonia.cli.figures import say
from sintonia.cli.overrides import PATH_KEYS
from sintonia.cli.runs import flags_of, through_hydra
from sintonia.config import VERBS
from sintonia.errors import SintoniaError


def complete(words: list[str]) -> None:
    """Print the words that may follow, or (`install=SHELL`) the lines that teach a shell to ask for them.

    Hydra's script asks `sintonia -sc query=SHELL`, without the verb, and leaves what was typed in COMP_LINE:
    verbs and file names are found here, the rest by Hydra. A query stays silent about errors: a prompt is no
    place for them.
    """
    if not any(word.startswith("query=") for word in words):
        return through_hydra("train", flags_of("train", ["-sc", *words]))
    done, last = _typed(os.environ.get("COMP_LINE", ""))
    verbs = [*VERBS] if done[:1] == ["config"] else [*VERBS, "config"]
    done = done[1:] if done[:1] == ["config"] else done
    key, equals, start = last.partition("=")
    if not done:
        return _offer(verb for verb in verbs if verb.startswith(last))
    if equals and key in PATH_KEYS:
        folder, slash, name = start.rpartition("/")
        beside = sorted(path.name for path in Path(folder + slash or ".").glob(f"{escape(name)}*"))
        return _offer(f"{key}={folder}{slash}{found}" for found in beside)
    if done[0] not in VERBS:
        return None
    os.environ["COMP_LINE"] = " ".join(["sintonia", *done[1:], last])
    with suppress(SintoniaError):
        through_hydra(done[0], flags_of(done[0], ["-sc", *words]))
    return None


def _typed(line: str) -> tuple[list[str], str]:
    """Return the whole words after the program's name, and the one being typed (empty after a space)."""
    words = line.split()[1:]
    return (words, "") if line.endswith(" ") or not words else (words[:-1], words[-1])


def _offer(found: Iterable[str]) -> None:
    # Shells split what is offered at spaces: a name that holds one cannot be offered whole.
    say("\n".join(word for word in found if " " not in word))
