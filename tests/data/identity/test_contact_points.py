"""E-mails and phones: what a provider ignores is dropped."""

import pyarrow as pa

from sintonia.data.identity.standardise import standardise


def one(field, values, **options):
    """Return the standard spellings of one field's values."""
    return standardise(pa.table({field: pa.array(values, pa.string())}), **options).column(field).to_pylist()


def test_emails_lose_case_spaces_and_tags_and_one_without_an_at_is_missing():
    found = one("email", ["Anna.Neri+shop@Libero.it ", "mailto:a@b.it", "none", ""])
    assert found == ["anna.neri@libero.it", "a@b.it", None, None]


def test_dots_before_the_at_tell_nobody_apart_at_google_and_people_apart_elsewhere():
    google = ["Anna.Neri@gmail.com", "a.n.n.a.neri@googlemail.com", "annaneri+x@gmail.com"]
    assert set(one("email", google)) == {"annaneri@gmail.com"}
    elsewhere = ["anna.neri@libero.it", "annaneri@libero.it", "a.b@notgmail.com"]
    assert one("email", elsewhere) == elsewhere


def test_nothing_but_dots_before_googles_at_stays_as_it_is():
    assert one("email", [".@gmail.com"]) == [".@gmail.com"]


def test_phones_become_e164_by_the_region_given():
    written = ["+39 347 1234567", "0039 347/1234567", "347-1234567", "06 1234 5678", "12", "0000000000"]
    assert one("phone", written) == ["+393471234567"] * 3 + ["+390612345678", None, None]
    assert one("phone", ["020 7946 0958"], region="GB") == ["+442079460958"]


def test_a_domain_keeps_its_accents_and_has_one_form():
    written = [
        "dino@exämple.org",
        "DINO@xn--exmple-cua.org",
        "dino@exa\u0308mple.org",
        "<dino+x@exämple.org>",
    ]
    assert set(one("email", written)) == {"dino@xn--exmple-cua.org"}
    assert one("email", ["dino@example.org", "dinò@example.org"]) == ["dino@example.org"] * 2


def test_addresses_of_nobody_are_missing():
    assert one("email", ["noemail@example.org", "Test@Test.com", "null@example.org", "n/a"]) == [None] * 4


def test_a_phone_read_as_a_float_is_that_phone_and_a_shortened_one_is_none():
    written = ["393471234567.0", "3471234567.0", "3.94471E+11", "3,94E+11"]
    assert one("phone", written) == ["+393471234567", "+393471234567", None, None]
