"""Renamed keys and groups: an old name is answered with the new one, in one line."""

from collections.abc import Collection, Mapping

from sintonia.core.errors import ConfigError

RENAMED_KEYS: dict[str, str] = {
    "policy.actions": "actions",
    "policy.*.cap_eur": "effects.*.cap",
    "policy": "effects",
    "effects.*.cap_eur": "effects.*.cap",
    "engagement.actions": "actions",
    "engagement.budget_eur": "engagement.budget",
    "actions.*.cost_eur": "actions.*.cost",
    "profit.customer_value_eur": "profit.customer_value",
    "profit.incentive_eur": "profit.incentive",
    "profit.contact_eur": "profit.contact_cost",
}
"""Old dotted key or group -> its name now; `*` stands for any one name, on both sides.

A key below a renamed one needs no entry of its own. Only what a verb does not know is looked up here, so a name
that means something else today may stand on the left.
"""


RENAMED_KEYS_OF_A_VERB: dict[str, str] = {"effects": "effects_table"}
"""Old key -> its name now, where a verb has the new key: other verbs have a group of the old name."""


def new_name(key: str, renamed: Mapping[str, str] | None = None) -> str | None:
    """Return the new name of a dotted key, or None if it was not renamed.

    A key may have been renamed more than once: its group first, then its last name.

    Examples
    --------
    >>> renamed = {"policy": "effects", "effects.*.cost_eur": "effects.*.cost"}
    >>> new_name("policy.folds", renamed), new_name("policy.mail.cost_eur", renamed)
    ('effects.folds', 'effects.mail.cost')
    >>> new_name("task.horizon_days", renamed) is None
    True
    """
    table = RENAMED_KEYS if renamed is None else renamed
    names = key.split(".")
    for _ in table:
        for old, new in table.items():
            pattern = old.split(".")
            start = names[: len(pattern)]
            if len(start) == len(pattern) and all(p in ("*", n) for p, n in zip(pattern, start, strict=True)):
                wild = iter([n for p, n in zip(pattern, start, strict=True) if p == "*"])
                renewed = [next(wild) if n == "*" else n for n in new.split(".")]
                names = renewed + names[len(pattern) :]
                break
        else:
            break
    current = ".".join(names)
    return None if current == key else current


def renamed_error(key: str, value: object = None, names: Collection[str] = ()) -> ConfigError | None:
    """Return the error that names the new key and the value to write, or None if the key was not renamed.

    `names` are the keys of the verb.

    Examples
    --------
    >>> str(renamed_error("effects", "mine.parquet", names=["effects_table", "out"]))
    'effects is called effects_table now; write effects_table=mine.parquet'
    >>> renamed_error("effects", "mine.parquet", names=["task"]) is None
    True
    """
    current = RENAMED_KEYS_OF_A_VERB.get(key)
    if current not in names:
        current = new_name(key)
    if current is None:
        return None
    shown = value if isinstance(value, str | int | float) else "..."
    return ConfigError(f"{key} is called {current} now; write {current}={shown}")
