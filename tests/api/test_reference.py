"""The reference is what the docstrings say."""

import runpy


def test_the_reference_is_up_to_date(project):
    made = runpy.run_path(str(project / "docs" / "make_reference.py"))["reference"]()
    written = (project / "docs" / "reference.md").read_text(encoding="utf-8")
    assert made == written, "run python docs/make_reference.py"
