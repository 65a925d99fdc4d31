"""Names of features."""

from sintonia.features.measures import Feature, Filter, Total


def test_a_name_is_family_measure_and_window_if_there_is_one():
    term = (Total(Filter()),)
    assert Feature("rfm", "orders", "Orders", "orders", term, window_days=30).name == "rfm__orders__30d"
    assert Feature("rfm", "days_since_purchase", "Days", "days", term).name == "rfm__days_since_purchase"
