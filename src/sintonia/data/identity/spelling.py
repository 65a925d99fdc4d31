"""Text in one spelling: case, accents, punctuation and words for nothing, column by column with Arrow's kernels."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_MISSING = ["", "nan", "none", "null", "na", "n a", "nd", "unknown", "missing", "test", "xxx"]


def text(column: "pa.ChunkedArray | pa.Array") -> "pa.Array":
    """Return the column as one array of text without space around it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pc.utf8_trim_whitespace(whole.cast(pa.string()))


def fold_case(written: "pa.Array") -> "pa.Array":
    """Return the text in lower case without accents (NFKD, marks dropped)."""
    import pyarrow.compute as pc

    parts = pc.utf8_normalize(pc.utf8_lower(written), form="NFKD")
    return pc.replace_substring_regex(parts, r"\p{M}+", "")


def words(written: "pa.Array") -> "pa.Array":
    """Return the words of the text, letters and digits only; an apostrophe joins (D'Angelo is dangelo)."""
    import pyarrow.compute as pc

    joined = pc.replace_substring_regex(fold_case(written), "['`\u2019\u00b4]", "")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(joined, r"[^\p{L}\p{N}]+", " "))


def squeezed(written: "pa.Array") -> "pa.Array":
    """Return the letters and digits of the text alone."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(fold_case(written), r"[^\p{L}\p{N}]+", "")


def known(written: "pa.Array") -> "pa.Array":
    """Return the text with the words that stand for a missing value set to null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_in(written, pa.array(_MISSING)), pa.scalar(None, pa.string()), written)


def by_value(written: "pa.Array", change: Callable[[str], str | None]) -> "pa.Array":
    """Return the text changed value by value, each distinct value once."""
    import pyarrow as pa

    coded = written.dictionary_encode()
    changed = pa.array([change(value) for value in coded.dictionary.to_pylist()], pa.string())
    return changed.take(coded.indices)


def without(written: "pa.Array", pattern: str) -> "pa.Array":
    """Return the text without what fits the pattern, and without the space that leaves around it."""
    import pyarrow.compute as pc

    return pc.utf8_trim_whitespace(pc.replace_substring_regex(written, pattern, ""))
