"""Keys and groups that had another name once: data alone, for the message that gives the new name."""

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
"""Old dotted key or group -> its name now; `*` stands for any one name, on both sides, and longer keys come first.
"""
