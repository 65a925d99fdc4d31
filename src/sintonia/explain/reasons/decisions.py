"""Why a customer would get an action, or none, in a sentence: what it is worth, and what came next."""

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools, Texts
from sintonia.core.config import NONE
from sintonia.explain.reasons.numbers import figures
from sintonia.explain.reasons.texts import Words


def decided(proposed: pa.Table, words: Words, currency: str) -> Texts:
    """Return a sentence a row of what is proposed: `action_id, runner_up, arm, worth, margin`.

    Who is held out, or got what chance gave, is told so; of what was weighed the margin to what came next decides,
    which lies below nothing where something better was used up.  # (n_rows,)
    """
    said = np.full(len(proposed), "", object)
    unit = np.full(len(proposed), currency, object)
    others = _others(proposed, words)
    numbers = {name: _amounts(proposed, name, words) for name in ("worth", "margin")}
    for name, rows in _cases(proposed).items():
        at = np.flatnonzero(rows)
        said[at] = _filled(
            words.deciding[name],
            {"other": others[at], "currency": unit[at], **{key: of[at] for key, of in numbers.items()}},
        )
    return said


def _cases(proposed: pa.Table) -> dict[str, Bools]:
    """Return which rows are told by which sentence; every row by one."""
    arm, action, runner_up = (_texts(proposed, name) for name in ("arm", "action_id", "runner_up"))
    weighed = proposed["margin"].is_valid().to_numpy(zero_copy_only=False)
    behind = np.nan_to_num(proposed["margin"].to_numpy().astype(float)) < 0
    policy, nothing, beside = arm == "policy", action == NONE, weighed & (runner_up != NONE)
    return {
        "explore": arm == "explore",
        "holdout": arm == "holdout",
        "nothing_allowed": policy & nothing & ~weighed,
        "nothing_worth": policy & nothing & weighed & ~behind,
        "nothing_left": policy & nothing & weighed & behind,
        "better_than_nothing": policy & ~nothing & ~beside,
        "best": policy & ~nothing & beside & ~behind,
        "better_is_gone": policy & ~nothing & beside & behind,
    }


def _others(proposed: pa.Table, words: Words) -> Texts:
    """Return what came next as people call it, "" where there is nothing."""
    names = _texts(proposed, "runner_up")
    each, place = np.unique(names.astype(str), return_inverse=True)
    return np.array([words.level("action", name) for name in each.tolist()], object)[place]


def _amounts(proposed: pa.Table, name: str, words: Words) -> Texts:
    amounts = np.nan_to_num(proposed[name].to_numpy().astype(float))
    return figures(100 * np.abs(amounts) * np.sign(np.round(amounts, 2)), "cents", words)


def _texts(proposed: pa.Table, name: str) -> Texts:
    return np.array(proposed[name].cast(pa.string()).fill_null("").to_pylist(), object)


def _filled(sentence: str, values: dict[str, Texts]) -> Texts:
    """Return the sentence for rows, each with its own values in place of the names in braces, and a large letter."""
    columns = [column.tolist() for column in values.values()]
    texts = [sentence.format(**dict(zip(values, row, strict=True))) for row in zip(*columns, strict=True)]
    return np.array([text[:1].upper() + text[1:] for text in texts], object)
