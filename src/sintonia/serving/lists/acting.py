"""What would be done for a list's customers, under the names of our columns and with its reason in words."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.core.memory import release
from sintonia.explain.reasons import LanguageTexts, decision_reasons, read_texts
from sintonia.serving.lists.rows import CUSTOMERS
from sintonia.serving.lists.spool import Spool

ACTED = "actions.parquet"
Act = Callable[[pa.Array], Iterable[pa.Table]]
"""From customers to what would be done for each of them, by id, some customers after others."""


def write_actions(act: Act, spool: Spool, language: str, currency: str) -> None:
    """Write what would be done for whom into the spool, by the customer's row, unless an earlier run did.

    What is scarce goes to where it is worth the most among all customers, so they are decided on together; but for
    that, some are told after others: sentences take ten times the room of numbers.
    """
    if spool.path(ACTED).is_file():
        return
    ids, rows = _listed(spool)
    release()
    words, first = read_texts(language), 0
    with spool.writing(ACTED) as part, ExitStack() as stack:
        file: pq.ParquetWriter | None = None
        for proposed in act(ids):
            told = _actions(proposed, words, currency)
            if told.num_rows:
                # Who was reached already is not proposed to: those there are lie in order, but not side by side.
                last = pc.index(ids, proposed["customer_id"][-1], start=first).as_py() + 1
                place = pc.index_in(proposed["customer_id"], ids.slice(first, last - first))
                told = told.add_column(0, "row", rows.slice(first, last - first).take(place.combine_chunks()))
                first = last
            else:
                told = told.add_column(0, "row", pa.array([], pa.int64()))
            file = file or stack.enter_context(pq.ParquetWriter(part, told.schema))
            file.write_table(told)


def _listed(spool: Spool) -> tuple[pa.Array, pa.Array]:
    """Return the customers that are to be scored, by id, and their rows."""
    listed = pq.read_table(spool.path(CUSTOMERS), columns=["customer_id", "row"]).combine_chunks()
    order = pc.array_sort_indices(listed["customer_id"].combine_chunks())
    return tuple(listed[name].combine_chunks().take(order) for name in ("customer_id", "row"))


def _actions(proposed: pa.Table, words: LanguageTexts, currency: str) -> pa.Table:
    """Return what is proposed under the names of our columns."""
    columns = {
        "next_best_action": proposed["action_id"],
        "channel": proposed["channel"],
        "send_at": pc.strftime(proposed["send_at_local"], format="%Y-%m-%d %H:%M"),
        "effect": proposed["effect"],
        "runner_up": proposed["runner_up"],
        "arm": proposed["arm"],
        "assignment_probability": proposed["assignment_probability"],
        "next_best_action_reason": pa.array(decision_reasons(proposed, words, currency), pa.string()),
    }
    return pa.table({f"action__{name}": column for name, column in columns.items()})
