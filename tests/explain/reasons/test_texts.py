"""Both languages have the same words, and a language that nobody wrote says so."""

from string import Formatter

import pytest

from sintonia.core.config.verbs import LANGUAGES
from sintonia.core.errors import ConfigError
from sintonia.explain.reasons.texts import read_texts
from sintonia.training.tasks import TASKS

WORDS = {language: read_texts(language) for language in LANGUAGES}


def names(sentence):
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_languages_have_the_same_measures_with_the_same_numbers_in_the_same_order():
    english, italian = WORDS["en"], WORDS["it"]
    assert [*english.sentences] == [*italian.sentences]
    for family, of in english.sentences.items():
        assert [*of] == [*italian.sentences[family]]
        for measure, variants in of.items():
            other = italian.sentences[family][measure]
            assert len(variants) == len(other), (family, measure)
            for one, two in zip(variants, other, strict=True):
                assert names(one) - {"value", "number"} == names(two) - {"value", "number"}, (family, measure)
                assert bool(names(one) & {"value", "number"}) == bool(names(two) & {"value", "number"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_task_has_a_word_for_each_direction(language):
    words = WORDS[language]
    assert set(TASKS) <= set(words.directions)
    assert words.direction("churn", up=True) != words.direction("churn", up=False)
    assert words.direction("a task of one's own", up=True) == words.directions["other"][0]


def test_a_language_nobody_wrote_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"Unknown language 'de'.*en, it"):
        read_texts("de")
