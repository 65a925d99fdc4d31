"""What a person leaves in files, and where it stands in text and tables."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sintonia.core.arrays import Bools

PLENTY = 200
"""How many words one pattern holds: RE2 keeps its automaton within a few megabytes."""

_LETTER = "0-9A-Za-z\u00aa-\u024f"  # \w means ASCII to Arrow's RE2 and all of Unicode to Python's re


@dataclass(frozen=True)
class Traces:
    """What to look for, in lower case.

    `words` are looked for anywhere, as whole words. `columns` holds by the name of a column what is found as a cell
    of it: identifiers too short to be told from other numbers. `names` are such cells too, which count only in rows
    that have nothing in the columns `unless`: a row that says whose it is by an identifier is not judged by a name.
    A table with the columns `source` and `source_key` is read as if it had `key`, their `type:value`.
    """

    words: frozenset[str] = frozenset()
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unless: frozenset[str] = frozenset()

    @cached_property
    def patterns(self) -> list[str]:
        """The words as regular expressions that Arrow (RE2) and Python read alike."""
        listed = sorted(self.words)
        return [_pattern(listed[at : at + PLENTY]) for at in range(0, len(listed), PLENTY)]

    @cached_property
    def loose(self) -> list[str]:
        """Regular expressions that any text with a trace matches, and others with it: to look closer at few."""
        everything = sorted(self.words.union(*self.columns.values(), *self.names.values()) - {""})
        return [
            "(?i)" + "|".join(map(re.escape, everything[at : at + PLENTY]))
            for at in range(0, len(everything), PLENTY)
        ]

    @cached_property
    def _compiled(self) -> list[re.Pattern[str]]:
        return [re.compile(pattern) for pattern in self.patterns]

    def in_text(self, text: str) -> bool:
        """Return whether one of the words stands in the text.

        Examples
        --------
        >>> found = Traces(words=frozenset({"m.rossi@posta.it"}))
        >>> found.in_text("To: M.Rossi@posta.it."), found.in_text("anna.m.rossi@posta.it")
        (True, False)
        """
        return any(pattern.search(text) for pattern in self._compiled)

    def in_cells(self, cells: Iterable[tuple[str, str]]) -> bool:
        """Return whether one of the (column, value) pairs of a row is or holds a trace."""
        named = told = False
        for column, value in cells:
            name, plain = column.lower(), value.strip().lower()
            if plain in self.columns.get(name, ()) or self.in_text(value):
                return True
            named |= plain in self.names.get(name, ())
            told |= bool(plain) and name in self.unless
        return named and not told

    def rows(self, table: pa.Table) -> Bools:
        """Return which rows of the table hold a trace, (n_rows,)."""
        found = np.zeros(table.num_rows, bool)
        for name, column in zip(table.column_names, table.columns, strict=True):
            found |= self._marked(name, column.combine_chunks())
        if "key" in self.columns and {"source", "source_key"} <= set(table.column_names):
            keys = pc.binary_join_element_wise(
                *(table[name].cast(pa.string()) for name in ("source", "source_key")), ":"
            )
            found |= _among(keys.combine_chunks(), self.columns["key"])
        return found | self._named(table)

    def _named(self, table: pa.Table) -> Bools:
        """Return which rows have one of the names where they say by no identifier whose they are."""
        named, told = np.zeros(table.num_rows, bool), np.zeros(table.num_rows, bool)
        for column, values in zip(table.column_names, table.columns, strict=True):
            name = column.lower()
            if name in self.names and not pa.types.is_nested(values.type):
                named |= _among(values.combine_chunks(), self.names[name])
            if name in self.unless:
                told |= values.is_valid().to_numpy(zero_copy_only=False)
        return named & ~told

    def _marked(self, name: str, values: Any) -> Bools:  # noqa: ANN401  an Arrow array of any type
        """Return which values of an Arrow array hold a trace."""
        kind = values.type
        none = np.zeros(len(values), bool)
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], kind)
        if pa.types.is_dictionary(kind):
            inside = pa.array(self._marked(name, values.dictionary))
            return _filled(inside.take(values.indices))
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            none[pc.list_parent_indices(values).to_numpy()[self._marked(name, pc.list_flatten(values))]] = (
                True
            )
            return none
        if pa.types.is_struct(kind):
            parts = (
                self._marked(kind.field(at).name, pc.struct_field(values, at))
                for at in range(kind.num_fields)
            )
            return np.asarray(np.logical_or.reduce([none, *parts]), bool)
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            # Most columns repeat few values: each is looked at once.
            coded = values.dictionary_encode()
            return _filled(pa.array(self._in_strings(name, coded.dictionary)).take(coded.indices))
        if pa.types.is_integer(kind):
            exact = self.words | self.columns.get(name.lower(), frozenset())
            few = frozenset(text for text in exact if re.fullmatch(r"[-+]?\d+", text))
            return _among(values.cast(pa.string()), few) if few else none
        if pa.types.is_temporal(kind) or pa.types.is_primitive(kind) or pa.types.is_null(kind):
            return none
        return self._in_strings(
            name, pa.array([None if v is None else _text_of(v) for v in values.to_pylist()])
        )

    def perhaps(self, values: Any, *escapes: str) -> Bools:  # noqa: ANN401
        """Return which texts could hold a trace, once read as JSON or CSV: reading all would take minutes."""
        found = np.zeros(len(values), bool)
        for pattern in [*self.loose, *escapes]:
            found |= _filled(pc.match_substring_regex(values, pattern))
        return found

    def _in_strings(self, name: str, values: Any) -> Bools:  # noqa: ANN401
        found = _among(values, self.columns.get(name.lower(), frozenset()))
        for pattern in self.patterns:
            found |= _filled(pc.match_substring_regex(values, pattern))
        json_like = np.flatnonzero(_filled(pc.match_substring_regex(values, r"^\s*[\[{]")))
        if len(json_like):
            for at in json_like[self.perhaps(values.take(pa.array(json_like)), r"\\")].tolist():
                found[at] = found[at] or self.in_cells(json_cells(values[at].as_py()))
        return found


def json_cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield the (key, value) pairs of all a JSON text holds, keys themselves too; the text as it is when it is none.

    Examples
    --------
    >>> list(json_cells('{"email": "a@b.it", "cards": [7]}'))
    [('', 'email'), ('email', 'a@b.it'), ('', 'cards'), ('cards', '7')]
    """
    try:
        whole = json.loads(text)
    except ValueError:
        yield "", text
    else:
        yield from _cells_of("", whole)


def _cells_of(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield "", str(key)
            yield from _cells_of(str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _cells_of(name, inner)
    elif value is not None:
        yield name, str(value)


def _pattern(words: list[str]) -> str:
    """Return a pattern of whole words; an address's dots, dashes and pluses belong to its word."""
    addresses = "|".join(re.escape(word) for word in words if "@" in word)
    others = "|".join(re.escape(word) for word in words if "@" not in word)
    parts = []
    if addresses:
        parts.append(rf"(?:^|[^{_LETTER}.+_-])(?:{addresses})(?:$|[^{_LETTER}_-])")
    if others:
        parts.append(rf"(?:^|[^{_LETTER}])(?:{others})(?:$|[^{_LETTER}])")
    return "(?im)" + "|".join(parts)


def _among(values: Any, texts: frozenset[str]) -> Bools:  # noqa: ANN401
    if not texts:
        return np.zeros(len(values), bool)
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values.cast(pa.string())))
    return _filled(pc.is_in(plain, pa.array(sorted(texts), pa.string())))


def _filled(found: Any) -> Bools:  # noqa: ANN401
    whole: Bools = pc.fill_null(found, False).to_numpy(zero_copy_only=False).astype(bool)
    return whole


def _text_of(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else json.dumps(value, default=str)
