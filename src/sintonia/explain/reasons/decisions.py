"""Why a customer would get an action, or none, in a sentence: what it is worth, and what came next."""

import numpy as np
import pyarrow as pa

from sintonia.core.arrays import Bools, Texts
from sintonia.core.config import NONE
from sintonia.explain.reasons.numbers import format_numbers
from sintonia.explain.reasons.texts import LanguageTexts


def decision_reasons(proposed: pa.Table, words: LanguageTexts, currency: str) -> Texts:
    """Return a sentence a row of what is proposed: `action_id, runner_up, arm, worth, margin`.

    Who is held out, or got what chance gave, is told so; of what was weighed the margin to what came next decides,
    which lies below nothing where something better was used up.  # (n_rows,)
    """
    sentences = np.full(len(proposed), "", object)
    unit = np.full(len(proposed), currency, object)
    runner_ups = _runner_up_names(proposed, words)
    numbers = {name: _amounts(proposed, name, words) for name in ("worth", "margin")}
    for name, rows in _rows_by_sentence(proposed).items():
        index = np.flatnonzero(rows)
        sentences[index] = _fill_in(
            words.decisions[name],
            {
                "other": runner_ups[index],
                "currency": unit[index],
                **{key: texts[index] for key, texts in numbers.items()},
            },
        )
    return sentences


def _rows_by_sentence(proposed: pa.Table) -> dict[str, Bools]:
    """Return which rows are told by which sentence; every row by one."""
    arm, action, runner_up = (_column_texts(proposed, name) for name in ("arm", "action_id", "runner_up"))
    compared = proposed["margin"].is_valid().to_numpy(zero_copy_only=False)
    is_behind = np.nan_to_num(proposed["margin"].to_numpy().astype(float)) < 0
    policy, nothing, has_runner_up = arm == "policy", action == NONE, compared & (runner_up != NONE)
    return {
        "explore": arm == "explore",
        "holdout": arm == "holdout",
        "nothing_allowed": policy & nothing & ~compared,
        "nothing_worth": policy & nothing & compared & ~is_behind,
        "nothing_left": policy & nothing & compared & is_behind,
        "better_than_nothing": policy & ~nothing & ~has_runner_up,
        "best": policy & ~nothing & has_runner_up & ~is_behind,
        "better_is_gone": policy & ~nothing & has_runner_up & is_behind,
    }


def _runner_up_names(proposed: pa.Table, words: LanguageTexts) -> Texts:
    """Return what came next as people call it, "" where there is nothing."""
    names = _column_texts(proposed, "runner_up")
    distinct, index = np.unique(names.astype(str), return_inverse=True)
    return np.array([words.level("action", name) for name in distinct.tolist()], object)[index]


def _amounts(proposed: pa.Table, name: str, words: LanguageTexts) -> Texts:
    amounts = np.nan_to_num(proposed[name].to_numpy().astype(float))
    return format_numbers(100 * np.abs(amounts) * np.sign(np.round(amounts, 2)), "cents", words)


def _column_texts(proposed: pa.Table, name: str) -> Texts:
    return np.array(proposed[name].cast(pa.string()).fill_null("").to_pylist(), object)


def _fill_in(sentence: str, values: dict[str, Texts]) -> Texts:
    """Return the sentence for rows, each with its own values in place of the names in braces, and a large letter."""
    columns = [column.tolist() for column in values.values()]
    texts = [sentence.format(**dict(zip(values, row, strict=True))) for row in zip(*columns, strict=True)]
    return np.array([text[:1].upper() + text[1:] for text in texts], object)
