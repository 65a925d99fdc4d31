"""How a customer answers what the brand sends: opens, clicks and redemptions by channel and action, and fatigue.

A thread's sends, opens, clicks and redemptions count once each (`opens_thread`), so that an e-mail opened five times
is one answer. Rates lean on the brand's own: with few sends a customer's rate says little, and the brand's, fitted
on the past, says more.
"""

from collections.abc import Mapping
from functools import partial

from sintonia.features.combine import ratio, since_then, smoothed_rate
from sintonia.features.families.context import FamilyContext, column_names
from sintonia.features.measures import (
    DaysSince,
    Earlier,
    Feature,
    Filter,
    Gap,
    Labels,
    Total,
    Value,
    expression,
)

ANSWERS = ("open", "click", "redeem")
PRIOR_MESSAGES = 5.0
"""Weight of the brand's own rate, in messages, when a customer's rate is smoothed towards it."""

UNPROMPTED_REDEEMS = "redeem:unasked"
"""Name of the fitted mean of redemptions per order that follow no action of the brand."""

SEND = Filter(kind="send", opens_thread=True)
PARTICIPLES = {"open": "opened", "click": "clicked", "redeem": "redeemed"}
RESPONSE_WHY = {
    "sends": "Pressure on a channel is the brand's own doing; too much of it drives people away",
    "rate": "Who answered before answers again; the brand's own rate steadies the customers with few sends",
    "action": "What kind of message works for this customer decides which to send next",
    "since": "A contact yesterday and a contact last spring leave different room for the next",
    "answer": "An answer is attention given; how long ago it was says whether it is still there",
    "fatigue": "Messages in a row without an answer wear attention out, and the next is likelier to be ignored",
    "delay": "Who answers within the hour waits for the brand's messages; who takes days clears an inbox",
}


def response(context: FamilyContext) -> list[Feature]:
    """Return smoothed rates of answers, over all and by channel and action, contacts, their recency and fatigue.

    A brand that sent nothing before the features were fitted has none of them.
    """
    channels, actions = context.levels("sent:channel"), context.levels("sent:action_id")
    if not context.windows_days or "send" not in context.levels("kind"):
        return []
    days = context.windows_days[-1]
    answers = tuple(kind for kind in ANSWERS if kind in context.levels("kind"))
    features = [_rate(context, kind, window) for window in context.windows_days[-2:] for kind in answers]
    for name, channel in zip(column_names(channels), channels, strict=True):
        features += [_sends(name, channel, days), *_channel_rates(context, (name, channel), days)]
        features.append(_days_since_contact(name, channel))
    for name, action in zip(column_names(actions), actions, strict=True):
        features += _action(context, (name, action), answers, days)
    return features + (_answers(answers, days) if answers else [])


def _rate(context: FamilyContext, kind: str, days: int) -> Feature:
    return Feature(
        family="response",
        measure=f"{kind}_rate",
        definition=f"Part of the messages sent in the last {days} days that were {PARTICIPLES[kind]}, with the "
        f"brand's usual rate counted as {PRIOR_MESSAGES:.0f} messages more",
        unit="share",
        terms=(Total(Filter(kind=kind, opens_thread=True), None, days), Total(SEND, None, days)),
        combine=partial(smoothed_rate, mean=context.mean(kind, 0.0), weight=PRIOR_MESSAGES),
        window_days=days,
        missing="never missing: without messages it is the brand's usual rate",
        why=RESPONSE_WHY["rate"],
    )


def _sends(name: str, channel: str, days: int) -> Feature:
    return Feature(
        family="response",
        measure=f"{name}_sends",
        definition=f"Messages sent by {channel} in the last {days} days",
        unit="messages",
        terms=(Total(Filter(kind="send", channel=channel, opens_thread=True), None, days),),
        window_days=days,
        why=RESPONSE_WHY["sends"],
    )


def _channel_rates(context: FamilyContext, named: tuple[str, str], days: int) -> list[Feature]:
    """Return the rates of the answers that the channel has ever had; a letter has no opens."""
    name, channel = named
    features = []
    for kind in (kind for kind in ANSWERS if f"{kind}:{channel}" in context.fitted.means):
        answered = Filter(kind=kind, channel=channel, opens_thread=True)
        sent = Filter(kind="send", channel=channel, opens_thread=True)
        features.append(
            Feature(
                family="response",
                measure=f"{name}_{kind}_rate",
                definition=f"Part of the messages by {channel} in the last {days} days that were {PARTICIPLES[kind]}, "
                f"with the brand's usual rate counted as {PRIOR_MESSAGES:.0f} messages more",
                unit="share",
                terms=(Total(answered, None, days), Total(sent, None, days)),
                combine=partial(
                    smoothed_rate, mean=context.mean(f"{kind}:{channel}", 0.0), weight=PRIOR_MESSAGES
                ),
                window_days=days,
                missing="never missing: without messages it is the brand's usual rate",
                why=RESPONSE_WHY["rate"],
            )
        )
    return features


def _days_since_contact(name: str, channel: str) -> Feature:
    return Feature(
        family="response",
        measure=f"days_since_{name}_contact",
        definition=f"Days since the last message by {channel}",
        unit="days",
        terms=(DaysSince(Filter(kind="send", channel=channel)),),
        missing="never contacted there yet",
        why=RESPONSE_WHY["since"],
    )


def _action(context: FamilyContext, named: tuple[str, str], answers: Labels, days: int) -> list[Feature]:
    """Return how often an action was sent, and how often it was answered in the strongest way it ever was."""
    name, action = named
    feature = partial(Feature, "response", window_days=days, why=RESPONSE_WHY["action"])
    sent = Total(Filter(kind="send", action_id=action, opens_thread=True), None, days)
    features = [
        feature(f"sends_of_{name}", f"Messages of {action} sent in the last {days} days", "messages", (sent,))
    ]
    kinds = [kind for kind in ANSWERS if f"{kind}:action:{action}" in context.fitted.means]
    for kind in kinds[-1:]:
        answered = Total(Filter(kind=kind, action_id=action, opens_thread=True), None, days)
        features.append(
            feature(
                measure=f"{kind}_rate_of_{name}",
                definition=f"Part of the messages of {action} in the last {days} days that were {PARTICIPLES[kind]}, "
                f"with the brand's usual rate counted as {PRIOR_MESSAGES:.0f} messages more",
                unit="share",
                terms=(answered, sent),
                combine=partial(
                    smoothed_rate, mean=context.mean(f"{kind}:action:{action}", 0.0), weight=PRIOR_MESSAGES
                ),
                missing="never missing: without messages it is the brand's usual rate",
            )
        )
    return features


def _answers(answers: tuple[str, ...], days: int) -> list[Feature]:
    feature = partial(Feature, "response")
    answer = Filter(kind=answers)
    hours = expression("gap // 3600", gap=Gap(Filter(kind="send"), same="thread_id"))
    timed_answer = Filter(
        kind=answers, opens_thread=True, having=(expression("hours IS NOT NULL", hours=hours),)
    )
    never = "never answered yet"
    return [
        feature(
            measure="days_since_answer",
            definition=f"Days since the customer last answered a message ({', '.join(answers)})",
            unit="days",
            terms=(DaysSince(answer),),
            missing=never,
            why=RESPONSE_WHY["answer"],
        ),
        feature(
            measure="contacts_since_answer",
            definition="Messages sent since the customer last answered one, or ever when none was answered",
            unit="messages",
            terms=(Total(SEND), Value(answer, Earlier(SEND))),
            combine=since_then,
            why=RESPONSE_WHY["fatigue"],
        ),
        feature(
            measure="hours_to_answer",
            definition=f"Mean whole hours from a message to its answers in the last {days} days",
            unit="hours",
            terms=(Total(timed_answer, hours, days), Total(timed_answer, None, days)),
            combine=ratio,
            window_days=days,
            missing="no answer to a known message in the window",
            why=RESPONSE_WHY["delay"],
        ),
    ]


def brand_rates(
    counts: Mapping[tuple[str | None, ...], int], levels: Mapping[str, tuple[str, ...]]
) -> dict[str, float]:
    """Return the brand's answers a message: over all (`open`), by channel (`open:email`), by action (`open:action:x`).

    Where some of what is redeemed answers an action and some does not, the latter an order as well (`redeem:unasked`).
    `counts` are threads by kind, channel and action; a rate without an answer, or without a message, is left out,
    but for those over all.
    """
    rates: dict[str, float] = {}
    over_all = _count_threads(counts, "send")
    for kind in ANSWERS:
        if over_all:
            rates[kind] = min(1.0, _count_threads(counts, kind) / over_all)
        for position, prefix, label in ((1, "", "sent:channel"), (2, "action:", "sent:action_id")):
            for level in levels[label]:
                sent, answered = (
                    _count_threads(counts, counted, position, level) for counted in ("send", kind)
                )
                if sent and answered:
                    rates[f"{kind}:{prefix}{level}"] = min(1.0, answered / sent)
    unprompted = sum(n for (kind, _, action), n in counts.items() if kind == "redeem" and action is None)
    orders = _count_threads(counts, "purchase")
    if orders and 0 < unprompted < _count_threads(counts, "redeem"):
        rates[UNPROMPTED_REDEEMS] = unprompted / orders
    return rates


def _count_threads(
    counts: Mapping[tuple[str | None, ...], int], kind: str, position: int = 0, level: str | None = None
) -> int:
    value = kind if level is None else level
    return sum(n for labels, n in counts.items() if labels[0] == kind and labels[position] == value)
