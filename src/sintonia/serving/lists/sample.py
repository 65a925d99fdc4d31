"""A list to try with."""

from pathlib import Path

from sintonia.data.store import Store


def write_sample(store: Store, key_type: str, path: Path, rows: int = 500) -> None:
    """Write a list as marketing might send it, `<key_type>;note`: keys the store knows, and one it does not."""
    known = sorted(store.read_crosswalk(key_type)["source_key"].to_pylist())
    chosen = [*known[:: max(len(known) // rows, 1)][:rows], "nobody"]
    lines = [f"{key_type};note", *(f"{key};row {at}" for at, key in enumerate(chosen, start=1))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
