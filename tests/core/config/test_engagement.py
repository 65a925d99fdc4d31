"""An engagement policy that cannot work is refused in words."""

import pytest

from sintonia.core.config import ActionConfig as Action
from sintonia.core.config import (
    CapacityConfig,
    ContactLimitConfig,
    EngagementConfig,
    HoursConfig,
    PauseConfig,
    RuleConfig,
    SendConfig,
)
from sintonia.core.config.engagement import check_engagement
from sintonia.core.errors import ConfigError

MAIL = {"mail": Action("email")}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: check_engagement(EngagementConfig(), {"mail": Action()}), "has no channel"),
        (lambda: Action("email", -1.0), "cost=-1.0 is too small"),
        (lambda: RuleConfig("elegibility", "1 = 1"), "did you mean 'eligibility'"),
        (lambda: RuleConfig(), "has no where"),
        (lambda: ContactLimitConfig(2), "needs exactly one period"),
        (lambda: ContactLimitConfig(2, 7, "week"), "needs exactly one period"),
        (lambda: ContactLimitConfig(2, calendar="year"), "Unknown calendar period 'year'"),
        (lambda: PauseConfig(after_refusals=0), "after_refusals=0 is too small"),
        (lambda: CapacityConfig(), "neither at_most nor at_least"),
        (lambda: CapacityConfig(3, per="month"), "Unknown per of a capacity 'month'"),
        (lambda: HoursConfig(20, 8), "Hours from 20 until 8 are empty"),
        (lambda: HoursConfig(weekdays=[7]), "give some of 0 (Monday) to 6"),
        (lambda: SendConfig(time_zone="Rome"), "is not a time zone"),
        (lambda: check_engagement(EngagementConfig(), {"none": Action("email")}), "names 'none'"),
        (
            lambda: check_engagement(
                EngagementConfig(rules={"a": RuleConfig(where="x", actions=["mial"])}), MAIL
            ),
            "'mail'",
        ),
        (
            lambda: check_engagement(EngagementConfig(fallback="sms"), MAIL),
            "Unknown action in engagement.fallback: 'sms'",
        ),
        (lambda: EngagementConfig(factors=["worth"]), "Unknown factor 'worth'"),
        (lambda: EngagementConfig(holdout_share=5), "is not a share; give 0 to 1"),
        (
            lambda: check_engagement(
                EngagementConfig(capacities={"a": CapacityConfig(3, channel="emial")}), MAIL
            ),
            "Unknown channel in the engagement policy 'emial'; did you mean 'email'",
        ),
        (
            lambda: check_engagement(EngagementConfig(send=SendConfig(hours={"sms": HoursConfig()})), MAIL),
            "Unknown channel in the engagement policy 'sms'",
        ),
    ],
)
def test_an_engagement_policy_that_cannot_work_is_refused_in_words(make, message):
    with pytest.raises(ConfigError) as raised:
        make()
    assert message in str(raised.value)
