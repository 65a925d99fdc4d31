"""Why an action or none: each case has its sentence, in every language, with the euro it is about."""

from string import Formatter

import pyarrow as pa
import pytest

from sintonia.core.config.verbs import LANGUAGES
from sintonia.explain.reasons import decision_reasons, read_texts

COLUMNS = ("arm", "action_id", "runner_up", "worth", "margin")
ROWS = {
    "best": ("policy", "gift_card", "care_call", 1234.5, 2.5),
    "better_than_nothing": ("policy", "gift_card", "none", 7.5, 7.5),
    "better_is_gone": ("policy", "gift_card", "care_call", 7.5, -0.25),
    "explore": ("explore", "gift_card", None, 7.5, None),
    "holdout": ("holdout", "none", None, 0.0, None),
    "nothing_allowed": ("policy", "none", None, 0.0, None),
    "nothing_worth": ("policy", "none", "care_call", 0.0, 0.75),
    "nothing_left": ("policy", "none", "care_call", 0.0, -0.75),
}


def proposal(rows):
    return pa.table({name: pa.array([row[at] for row in rows]) for at, name in enumerate(COLUMNS)})


def test_each_case_is_told_in_its_own_sentence():
    assert decision_reasons(proposal(ROWS.values()), read_texts("en"), "EUR").tolist() == [
        "Worth about 1,234.50 EUR after its cost; next best is care call, 2.50 EUR behind",
        "Worth about 7.50 EUR after its cost: 7.50 EUR better than doing nothing",
        "Worth about 7.50 EUR after its cost; care call would be better, but no more of it is left",
        "Drawn by chance, to learn what works",
        "Left alone on purpose, to measure what messages bring",
        "Nothing may be sent to them now",
        "Nothing that may be sent now is worth its cost; least far from it is care call",
        "Care call would be worth its cost, but no more of it is left",
    ]


def test_italian_writes_its_own_numbers():
    (said,) = decision_reasons(proposal([ROWS["best"]]), read_texts("it"), "EUR").tolist()
    assert said == "Vale circa 1.234,50 EUR oltre il suo costo; segue care call, 2,50 EUR più indietro"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_sentence_with_the_same_names(language):
    def names(words):
        return {
            key: {name for _, name, _, _ in Formatter().parse(of) if name}
            for key, of in words.decisions.items()
        }

    assert names(read_texts(language)) == names(read_texts("en"))
    assert set(ROWS) == set(read_texts(language).decisions)


def test_a_row_is_told_alike_beside_any_others():
    whole = decision_reasons(proposal([*ROWS.values()] * 2), read_texts("en"), "EUR").tolist()
    alone = [decision_reasons(proposal([row]), read_texts("en"), "EUR").tolist()[0] for row in ROWS.values()]
    assert whole == alone * 2
