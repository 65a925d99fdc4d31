"""The mapping of the synthetic silos, in the language of the configuration."""

import re

from sintonia.core.schema import ATTRIBUTES, CHANNELS, CONTACT_FIELDS, DECISIONS, INTERACTIONS, KINDS

_TYPES = {"cookie", "account", "card", "crm", "email", "phone", "device", "handle"}
_FIRST = ["web", "store", "crm", "campaign_events", "campaign_decisions"]
_SERVICE = ["contact_centre", "contact_centre_closed", "chat"]


def test_the_mapping_speaks_of_columns_the_contracts_have(silo_configs):
    assert list(silo_configs) == [*_FIRST, "app", *_SERVICE, "social"]
    for silo in silo_configs.values():
        assert set(silo.identifiers) <= _TYPES
        assert {*silo.interactions, *silo.constants, *silo.values} <= set(INTERACTIONS.names)
        assert set(silo.contacts) <= set(CONTACT_FIELDS)
        assert set(silo.decisions) <= set(DECISIONS.names)
        assert set(silo.values.get("kind", {}).values()) <= set(KINDS)
    assert silo_configs["crm"].attributes
    assert ATTRIBUTES.key


def test_attributes_carry_nothing_personal(silo_configs):
    for silo in silo_configs.values():
        personal = set(silo.contacts.values()) - {"sex", "birth_date", "country"}
        for name, expression in silo.attributes.items():
            assert not personal & set(re.findall(r"\w+", expression)), name


def _mapped(brand, silo, column):
    config = brand.source.silos[silo]
    if column in config.constants:
        return {config.constants[column]}
    expression = re.sub(
        r"number\((\w+)\)", r"CAST(replace(\1, ',', '.') AS DOUBLE)", config.interactions[column]
    )
    values = brand.read(silo, f"DISTINCT {expression} AS value")["value"]
    return {config.values.get(column, {}).get(value, value) for value in values}


def test_all_but_the_unknown_names_are_kinds_and_channels(brand):
    kinds = {
        silo: _mapped(brand, silo, "kind") for silo in brand.source.silos if silo != "campaign_decisions"
    }
    unknown = {silo: names - set(KINDS) for silo, names in kinds.items()}
    assert unknown == {
        "web": {"scroll_depth", "undefined", "heartbeat"},
        "store": set(),
        "crm": set(),
        "campaign_events": {"bounced"},
        "app": {"app_background", "crash_report"},
        "contact_centre": set(),
        "contact_centre_closed": set(),
        "chat": set(),
        "social": set(),
    }
    for silo in kinds:
        assert _mapped(brand, silo, "channel") <= set(CHANNELS)


def test_interaction_ids_are_unique_but_for_what_was_sent_twice(brand):
    for silo in ("store", "crm", "campaign_events", "contact_centre", "chat"):
        ids = brand.read(silo, f"{brand.source.silos[silo].interactions['interaction_id']} AS id")["id"]
        assert ids.notna().all()
        assert ids.is_unique, silo
