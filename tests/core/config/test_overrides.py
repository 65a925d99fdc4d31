"""Words of the command line made ready for Hydra."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sintonia.core.config import VERBS
from sintonia.core.config.overrides import (
    FREE_TEXT_KEYS,
    config_groups,
    for_hydra,
    is_free_text,
    keys,
    kind_of,
    options,
    quoted,
)
from sintonia.core.errors import ConfigError

HARD = st.text(alphabet=st.sampled_from("\\'\"${}[]() ,=:~+é\n\ta"), max_size=12)
TEXTS = st.one_of(HARD, st.text(st.characters(exclude_characters="\0"))).filter(
    lambda text: text not in ("null", "???")
)


def _after_hydra_and_omegaconf(override: str) -> object:
    found = OverridesParser.create().parse_override(override)
    assert not found.is_sweep_override()
    composed = OmegaConf.create({"list": "???"})
    OmegaConf.update(composed, "list", found.value())
    plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    return plain["list"]


@given(TEXTS)
@example("clienti, è nuovi (1).csv")
@example("C:\\new\\${x}\\")
@example("\\\\${oc.env:HOME}'\\'")
@example("  a=b ")
@example("")
def test_any_free_text_arrives_as_typed(text: str):
    assert _after_hydra_and_omegaconf(f"list={quoted(text)}") == text


@given(TEXTS)
@example("a,b")
@example("glob(*)")
def test_free_text_in_a_sweep_is_no_sweep_and_survives_being_written_once_more(text: str):
    override = OverridesParser.create().parse_override(f"list={quoted(text)}")
    again = f"{override.get_key_element()}={override.get_value_element_as_str()}"
    assert _after_hydra_and_omegaconf(again) == text


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_a_known_key_is_set_or_added_whatever_sign_it_has(sign: str):
    assert for_hydra("score", [f"{sign}list=a, b", f"{sign}reasons=2"]) == ["++list='a, b'", "++reasons=2"]


def test_null_takes_a_free_text_away():
    assert for_hydra("score", ["out=null"]) == ["++out=null"]


def test_groups_and_deletions_pass_as_they_are():
    words = ["source=complete_journey", "~tracking.uri", "+experiment=x"]
    assert for_hydra("train", words) == words


def test_expressions_of_a_silo_are_free_text():
    typed = "source.silos.tickets.interactions.amount=number(coalesce(a, b))"
    assert for_hydra("build", [typed]) == [
        "++source.silos.tickets.interactions.amount='number(coalesce(a, b))'",
    ]


@pytest.mark.parametrize(
    ("verb", "word", "message"),
    [
        ("train", "task.horizn_days=3", "Unknown key 'task.horizn_days'; did you mean 'task.horizon_days'?"),
        ("train", "+task.horizn_days=3", "Unknown key 'task.horizn_days'; did you mean 'task.horizon_days'?"),
        ("train", "horizn_days=3", "did you mean 'task.horizon_days'?"),
        ("simulate", "customrs=5", "Unknown key 'customrs'; did you mean 'customers'?"),
        ("train", "tsk=churn", "Unknown key 'tsk'; did you mean 'task'?"),
        ("build", "task=churn", "Unknown key 'task'; choose engine,"),
        ("train", "engine.threads.most=3", "did you mean 'engine.threads'?"),
        ("build", "source.silos.crm.pth=x", "did you mean 'source.silos.crm.path'?"),
        (
            "score",
            "customers.csv",
            "Cannot read 'customers.csv'; write key=value, for example list=customers.csv.",
        ),
        ("train", "=3", "Cannot read '=3'"),
        ("train", "hydra/launcher=basic", "'hydra/launcher=basic' is a setting of Hydra's"),
        ("train", "hydra.verbose=true", "'hydra.verbose=true' is a setting of Hydra's"),
        ("train", "", "Cannot read ''"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_right_one(verb: str, word: str, message: str):
    with pytest.raises(ConfigError) as raised:
        for_hydra(verb, [word])
    assert message in str(raised.value)


def test_declared_free_text_keys_exist_and_hold_text():
    verbs = {"list": "score", "suppress": "score", "segment": "score", "key": "score", "out": "review"}
    verbs |= dict.fromkeys(("records", "truth", "fields.*", "customer", "identity.overrides"), "identity")
    verbs |= dict.fromkeys(("reviewer", "remark"), "approve") | {"cards": "promote"}
    verbs |= {
        key: "decide" for key in FREE_TEXT_KEYS if key == "effects_table" or key.startswith("engagement.")
    }
    for key in FREE_TEXT_KEYS:
        assert kind_of(verbs.get(key, "train"), key.replace("*", "any")) in (str, str | None)
        assert is_free_text(key.replace("*", "any"))


def test_every_default_option_ships():
    for verb in VERBS:
        for group, option in config_groups(verb).items():
            assert option is None or option in options(group)


def test_keys_are_dotted_through_groups():
    assert {"customers", "engine", "engine.threads", "source.root"} <= set(keys(VERBS["simulate"]))
