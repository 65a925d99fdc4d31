"""What would be done for a list's customers, under the names of our columns and with its reason in words."""

from collections.abc import Callable
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sintonia.lists.rows import CUSTOMERS
from sintonia.lists.spool import Spool
from sintonia.reasons import Words, decided, read_words

ACTED = "actions.parquet"
AT_ONCE = 1 << 16
Act = Callable[[set[str]], pa.Table]
"""From customers to what would be done for each of them."""


def write_actions(act: Act, spool: Spool, language: str) -> None:
    """Write what would be done for whom into the spool, unless an earlier run did.

    What is scarce goes to where it is worth the most among all customers, so they are decided on together; but for
    that, rows are told so many at a time: sentences take ten times the room of numbers.
    """
    if spool.path(ACTED).is_file():
        return
    proposed, words = act(_ids(spool)), read_words(language)
    with spool.writing(ACTED) as part, ExitStack() as stack:
        file: pq.ParquetWriter | None = None
        for first in range(0, max(len(proposed), 1), AT_ONCE):
            told = _actions(proposed.slice(first, AT_ONCE), words)
            file = file or stack.enter_context(pq.ParquetWriter(part, told.schema))
            file.write_table(told)


def _ids(spool: Spool) -> set[str]:
    """Return the customers that are to be scored."""
    return set(pq.read_table(spool.path(CUSTOMERS), columns=["customer_id"])["customer_id"].to_pylist())


def _actions(proposed: pa.Table, words: Words) -> pa.Table:
    """Return what is proposed under the names of our columns."""
    columns = {
        "customer_id": proposed["customer_id"],
        "next_best_action": proposed["action_id"],
        "channel": proposed["channel"],
        "send_at": pc.strftime(proposed["send_at_local"], format="%Y-%m-%d %H:%M"),
        "effect": proposed["effect"],
        "runner_up": proposed["runner_up"],
        "arm": proposed["arm"],
        "assignment_probability": proposed["assignment_probability"],
        "next_best_action_reason": pa.array(decided(proposed, words), pa.string()),
    }
    return pa.table({f"action__{name}": column for name, column in columns.items()})
