"""A section of a page by one file of the user's own: its text is shown as text, its mistakes are one line."""

import pytest

from review.example_review import HOSTILE, review
from review.test_policy_page import policy
from sintonia.core.errors import ConfigError, InputError
from sintonia.review import Section, own_sections, render_review
from sintonia.review.policy_page import render_policy

CODE = f'''
from sintonia.review import Section


def notes(review):
    return Section(
        f"Notes on {{review.model_name}}",
        paragraphs=["Agreed with {HOSTILE.replace('"', "'")}"],
        columns=["Question", "<b>Answer</b>"],
        rows=[["How many checks?", len(review.gate)], ["{HOSTILE.replace('"', "'")}", 0.5]],
    )


def fails(review):
    return 1 / 0


def returns_text(review):
    return "<p>notes</p>"


def ragged(review):
    return Section("Ragged", columns=["a", "b"], rows=[["1"]])
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "section.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(
    ("data", "render"), [(review, render_review), (policy, render_policy)], ids=["outcomes", "policy"]
)
def test_an_own_section_ends_the_page_and_its_text_cannot_become_markup(file, data, render):
    (section,) = own_sections([f"{file}:notes"], data())
    page = render(data(), [section])
    own = page[page.index('id="own-1"') : page.index("</main>")]
    assert own.count("</section>") == 1
    assert f">Notes on {data().model_name}</h2>" in own
    assert f'<th scope="row">How many checks?</th><td>{len(data().gate)}</td>' in own
    assert "&lt;b&gt;Answer&lt;/b&gt;" in own
    assert own.count("&lt;/script&gt;") == 4
    assert "<script" not in own
    assert "<img" not in own
    without = render(data())
    assert (
        page.replace(page[page.index('<section aria-labelledby="own-1"') : page.index("</main>")], "")
        == without
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nots", "has no function 'nots'; did you mean 'notes'"),
        ("fails", "fails: ZeroDivisionError: division by zero"),
        ("returns_text", "returns str; return a sintonia.review.Section"),
        ("ragged", "a row of 1 cells under 2 columns"),
    ],
)
def test_what_is_wrong_with_an_own_section_is_said_in_one_line(file, name, message):
    with pytest.raises(ConfigError, match=message) as error:
        own_sections([f"{file}:{name}"], review())
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="sections: no file"):
        own_sections([f"{tmp_path}/none.py:notes"], review())


def test_sections_of_the_users_own_keep_their_order(file):
    first, second = Section("First"), Section("Second")
    page = render_review(review(), [first, second])
    assert page.index(">First</h2>") < page.index(">Second</h2>") < page.index("</main>")
