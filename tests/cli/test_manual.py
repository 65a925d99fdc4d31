"""The help pages say what the configuration holds."""

import shlex

import pytest

from sintonia.cli.manual import examples, overview, page
from sintonia.core.config import VERBS
from sintonia.core.config.overrides import config_groups, for_hydra, options


def test_the_overview_names_every_verb_every_group_and_every_option():
    text = overview()
    for verb in [*VERBS, "config"]:
        assert f"\n{verb} " in text
        assert f"sintonia {verb}" in text
    for verb in VERBS:
        for group in config_groups(verb):
            assert group.partition("@")[0] in text
            assert all(option in text for option in options(group))


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_opens_with_a_sentence_and_two_commands_that_can_be_read(verb: str):
    lines = page(verb).splitlines()
    assert lines[0].startswith(f"sintonia {verb}: ")
    assert lines[0].endswith(".")
    assert lines[2:5] == ["Examples", *(f"  {example}" for example in examples(verb))]
    for example in examples(verb):
        words = shlex.split(example)
        for_hydra(verb, [word for word in words[2:] if word != "-m"])


def test_keys_stand_with_their_default_and_what_they_are_for():
    text = page("score")
    assert "  chunk_rows                  20000                     rows or customers held at a time" in text
    assert "  reasons                     {count: 3, allow_sensitive: []}  how many;" in text
    assert "  engine.threads              2" in text
    assert "  source.until                null" in text
    assert "  tasks.churn.horizon_days    60" in page("demo")


def test_config_has_a_page():
    assert "sintonia config train task=purchase" in page("config")
