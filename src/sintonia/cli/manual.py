"""The help pages, generated from the YAML files and the dataclasses, so that they cannot be out of date.

A primary opens with comment lines: the first says what the verb does, the indented ones are commands to try;
the comment after a key says what the key is for. Help answers at once: nothing heavy is imported.
"""

import re
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from sintonia.core.config import VERBS, conf_dir
from sintonia.core.config.overrides import config_groups, kind_of, options

_CONFIG = """sintonia config: print the settings a verb would run with; without a verb, all verbs and groups.

Examples
  sintonia config
  sintonia config train task=purchase
"""

_FLAGS = """Flags
  -m                    sweep: a comma between values means one run each
  --config-dir DIR      read options from your own folder too, e.g. DIR/source/mine.yaml
  --help, --version     this page; the version
  --cfg job             print what the verb would be run with, as `sintonia config VERB` does
  group=FILE.yaml       an option from a file of your own, e.g. source=my/shop.yaml
  output=json           figures as one JSON object, the last line of standard output
  Paths and names (list, out, key, workspace, source.root, tracking.uri) are taken as typed.
  TAB completes after: eval "$(sintonia -sc install=bash)", or install=fish
"""


def overview() -> str:
    """Return the page of `sintonia --help`: every verb with its examples, every group with its options."""
    lines = [
        "sintonia: from every interaction to the next best action.",
        "",
        "Usage: sintonia VERB [key=value ...]",
        "",
    ]
    for verb in VERBS:
        lines += [f"{verb:10}{_summary(verb)}", *(f"            {example}" for example in examples(verb))]
    lines += [
        "config    print what a verb would be run with",
        "            sintonia config train task=purchase",
        "",
    ]
    groups = dict.fromkeys(group.partition("@")[0] for verb in VERBS for group in config_groups(verb))
    lines += [
        "Groups (group=option)",
        *(f"  {group:12}{', '.join(options(group)) or '-'}" for group in groups),
        "",
    ]
    return "\n".join([*lines, _FLAGS, "`sintonia VERB --help` lists a verb's keys and their defaults.", ""])


def page(verb: str) -> str:
    """Return the page of `sintonia VERB --help`: what it does, examples, groups, keys with their defaults."""
    if verb == "config":
        return _CONFIG
    lines = [
        f"sintonia {verb}: {_summary(verb)}",
        "",
        "Examples",
        *(f"  {example}" for example in examples(verb)),
        "",
    ]
    lines += [
        "Groups (group=option)",
        *(f"  {group:22}{_choices(group, chosen)}" for group, chosen in config_groups(verb).items()),
    ]
    return "\n".join([*lines, "", "Keys (key=value) and their defaults", *_key_lines(verb), "", _FLAGS])


def examples(verb: str) -> list[str]:
    """Return the commands to try that open the verb's primary."""
    return re.findall(r"^#   (sintonia .+)$", _read(f"{verb}.yaml"), re.MULTILINE)


def _read(name: str) -> str:
    path = conf_dir() / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _summary(verb: str) -> str:
    return _read(f"{verb}.yaml").partition("\n")[0].partition(": ")[2]


def _choices(group: str, chosen: str | None) -> str:
    return (
        ", ".join(f"{name} (default)" if name == chosen else name for name in options(group)) or "none ships"
    )


def _key_lines(verb: str) -> list[str]:
    """Return a line a key of the verb, its groups' keys after its own."""
    by_name = {field.name: field for field in fields(VERBS[verb])}
    lines = []
    for group, option in config_groups(verb).items():
        name, _, parent = group.partition("@")
        parent = parent or name
        if parent.partition(".")[0] in by_name and is_dataclass(kind_of(verb, parent)):
            text = _read(f"{name}/{option}.yaml")
            lines += [_key_line(field, text, f"{parent}.") for field in fields(kind_of(verb, parent))]
    listed = {line.split()[0].partition(".")[0] for line in lines}
    own_lines = [
        _key_line(field, _read(f"{verb}.yaml"), "") for name, field in by_name.items() if name not in listed
    ]
    return own_lines + lines


def _key_line(field: Field[Any], text: str, parent: str) -> str:
    """Return one key's line: its name, its default as the YAML has it (else the dataclass's), its comment."""
    match = re.search(rf"^{field.name}:[ ]*(.*?)(?:[ ]+# (.*))?$", text, re.MULTILINE)
    value, comment = match.groups(default="") if match else (_default(field), "")
    default_text = {"": "(see the file)", "???": "(must be given)"}.get(value, value)
    return f"  {parent + field.name:28}{default_text:24}  {comment}".rstrip()


def _default(field: Field[Any]) -> str:
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return "null" if value is None else str(value)
