"""The tour of the door shows real output."""

import doctest


def test_the_examples_of_the_tour_give_what_it_shows(project):
    failed, tried = doctest.testfile(str(project / "docs" / "python.md"), module_relative=False)
    assert tried > 4
    assert failed == 0
