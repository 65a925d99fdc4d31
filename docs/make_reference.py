"""Writes docs/reference.md from the docstrings of the door: python docs/make_reference.py."""

import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import sintonia

REFERENCE = Path(__file__).with_name("reference.md")


def reference() -> str:
    """Return the reference as Markdown: every name of the door, its signature and its docstring."""
    parts = ["# Reference", "Written from the docstrings by `docs/make_reference.py`."]
    for name in sintonia.__all__:
        thing = getattr(sintonia, name)
        if isinstance(thing, ModuleType):
            parts += [f"## `{name}`", _fenced(thing)]
            for inner in thing.__all__:
                parts += _described(f"{name}.{inner}", getattr(thing, inner))
        elif callable(thing):
            parts += _described(name, thing)
    return "\n\n".join(parts) + "\n"


def _described(name: str, thing: Any) -> list[str]:  # noqa: ANN401
    parts = [f"## `{name}`", _fenced(thing)]
    if inspect.isclass(thing):
        own = {
            at: of
            for base in reversed(thing.__mro__)
            if base.__module__.startswith("sintonia")
            for at, of in vars(base).items()
        }
        for at, method in own.items():
            if not at.startswith("_") and inspect.isfunction(method):
                parts += [f"### `{name}.{at}`", _fenced(method)]
    return parts


def _fenced(thing: Any) -> str:  # noqa: ANN401
    called = not isinstance(thing, ModuleType) and not (
        inspect.isclass(thing) and issubclass(thing, Exception)
    )
    lines = [f"{thing.__name__}{inspect.signature(thing)}", ""] if called else []
    return "\n".join(["```text", *lines, inspect.getdoc(thing) or "", "```"])


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
