"""The Customer Compliance Form: the empty one is right, and a wrong one says where."""

from pathlib import Path

import pytest

from gosip_check.form.form import TEMPLATE, e164, load
from gosip_check.records import Form
from gosip_check.tomlfile import LARGEST_FILE, TomlError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "form.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_empty_form_loads_and_lacks_what_is_asked_for(tmp_path: Path) -> None:
    form = load(written(tmp_path, TEMPLATE))
    assert form == Form()
    assert form.not_filled_in == [
        "company_name",
        "contact",
        "contact_number",
        "pbx.vendor",
        "pbx.model",
        "pbx.release",
        "router.vendor or firewall.vendor",
        "internet_1.service_identifier",
    ]


def test_the_template_shows_every_field_of_the_form(tmp_path: Path) -> None:
    import tomllib

    import msgspec

    assert tomllib.loads(TEMPLATE) == msgspec.to_builtins(Form())


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert load(written(tmp_path, "\ufeff" + 'company_name = "ACME"')).company_name == "ACME"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("21669015", "+35621669015"),
        ("2166 9015", "+35621669015"),
        ("+356 2166-9015", "+35621669015"),
        ("0035621669015", "+35621669015"),
        ("tel:+35621669015", "+35621669015"),
        ("+44 20 3598 2801", "+442035982801"),
    ],
)
def test_numbers_become_e164(text: str, number: str) -> None:
    assert e164(text) == number


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("call me", "'call me' is no telephone number; +356 2100 0000 would be right."),
        ("123", "'123' has the wrong number of digits; +356 2100 0000 would be right."),
        ("+35611111111", "'+35611111111' is a number that MT does not assign; check its digits."),
        ("+999 1234567", "'+999 1234567' is no telephone number; +356 2100 0000 would be right."),
    ],
)
def test_wrong_numbers(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        e164(text)
    assert str(caught.value) == sentence
    with pytest.raises(TomlError) as refused:
        load(written(tmp_path, f'contact_number = "{text}"'))
    assert str(refused.value) == f"{tmp_path}/form.toml: contact_number: {sentence}"


WRONG = {
    "no TOML": ("company_name =", "is not valid TOML: Invalid value (at end of document)."),
    "unknown field": (
        'company = "ACME"',
        "there is no key 'company'; did you mean 'company_name'?",
    ),
    "wrong type": ("contact = 5", "contact: expected str, got int; put it in quotes."),
    "unknown field in a table": (
        '[pbx]\nvendr = "3CX"',
        "pbx: there is no key 'vendr'; did you mean 'vendor'?",
    ),
    "wrong table": ('pbx = "3CX"', "pbx: expected object, got str."),
}


@pytest.mark.parametrize(("text", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_form_is_refused_with_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TomlError) as caught:
        load(written(tmp_path, text))
    assert str(caught.value) == f"{tmp_path}/form.toml: {sentence}"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TomlError, match="No such file or directory"):
        load(tmp_path / "none.toml")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(TomlError, match=r"is not UTF-8 text \(byte 0\)"):
        load(tmp_path / "bytes")
    (tmp_path / "large").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(TomlError, match="larger than 1024 KiB"):
        load(tmp_path / "large")
