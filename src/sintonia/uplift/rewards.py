"""What comes of a decision, as SQL over the interactions in its window."""

from sintonia.config import RewardConfig

MONEY = ("purchase", "return")
"""The kinds of interaction whose amounts are spend."""


def reward_kinds(config: RewardConfig) -> tuple[str, ...]:
    """Return the kinds of interaction a reward looks at."""
    return tuple(config.kinds) if config.name == "converted" else MONEY


def reward_sql(config: RewardConfig) -> str:
    """Return the reward as SQL over a decision's events, in units of 1 or in euros."""
    if config.name == "converted":
        kinds = ", ".join(literal(kind) for kind in config.kinds)
        found = f"COALESCE(MAX(CASE WHEN event.kind IN ({kinds}) THEN 1 END), 0)"
    else:
        paid = "COALESCE(event.amount, 0)"
        if config.name == "margin":
            paid = f"{paid} - {1 - config.margin_share} * ({paid} + COALESCE(event.discount, 0))"
        kinds = ", ".join(literal(kind) for kind in MONEY)
        found = f"COALESCE(SUM({paid}) FILTER (event.kind IN ({kinds})), 0) / 100.0"
    if config.cap is not None:
        found = f"LEAST({found}, {config.cap})"
    if config.own_discount:
        own = "event.kind = 'redeem' AND event.action_id = point.action_id"
        found += f" - COALESCE(SUM(event.discount) FILTER ({own}), 0) / 100.0"
    return found


def literal(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"
