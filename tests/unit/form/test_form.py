"""The Customer Compliance Form: the empty one is right, and a wrong one says where."""

from pathlib import Path

import pytest

from gosip_check.form.form import TEMPLATE, e164, load, to_toml
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
        ("+44 (0)20 3598 2801", "+442035982801"),
        ("+356/2166.9015", "+35621669015"),
        ("\uff0b356\u00a02166\u20119015", "+35621669015"),
    ],
)
def test_numbers_become_e164(text: str, number: str) -> None:
    assert e164(text) == number


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("call me", "'call me' is not a telephone number; write one such as +356 2100 0000."),
        ("123", "'123' has the wrong number of digits; write one such as +356 2100 0000."),
        ("+35611111111", "'+35611111111' is a number that MT does not assign; check its digits."),
        ("+999 1234567", "'+999 1234567' is not a telephone number; write one such as +356 2100 0000."),
        (
            "+356 21OO OO12",
            "'+356 21OO OO12' holds letters (OOOO); write digits only, and an extension in the comments.",
        ),
        (
            "21669015 ext 4",
            "'21669015 ext 4' holds letters (ext); write digits only, and an extension in the comments.",
        ),
        (
            "2166 9015 x201",
            "'2166 9015 x201' holds letters (x); write digits only, and an extension in the comments.",
        ),
        (
            "21669015#33",
            "'21669015#33' holds more than one telephone number (+35621669015); "
            "write that alone, the rest in the comments.",
        ),
        ("21669015/21669016", "'21669015/21669016' has the wrong number of digits; write one such as +356 2100 0000."),
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
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(TomlError, match=r"is not UTF-8 text \(byte 0\)"):
        load(tmp_path / "bytes")
    (tmp_path / "large").write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(TomlError, match="larger than 1024 KiB"):
        load(tmp_path / "large")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[internet_2]\nfixed_address = "203.0.113"', "internet_2.fixed_address: '203.0.113' is not an IP address; "),
        ('[second_trunk]\nuse = "backup"', "second_trunk.use: 'backup' is not overflow or load-sharing."),
        ('[second_trunk]\nchannels = "ten"', "second_trunk.channels: 'ten' is not a number of channels."),
        ('[second_trunk]\nlink = "wan2"', "second_trunk.link: 'wan2' is not Internet-1 or Internet-2."),
    ],
)
def test_what_a_field_cannot_hold(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(TomlError) as refused:
        load(written(tmp_path, text))
    assert sentence in str(refused.value)


def test_a_fixed_address_and_a_second_trunk_come_back_as_they_were_written(tmp_path: Path) -> None:
    trunk = '[second_trunk]\nuse = "overflow"\nchannels = "10"\nlink = "Internet-2"\n'
    form = load(written(tmp_path, f'[internet_1]\nfixed_address = "203.0.113.7"\n{trunk}'))
    assert form.internet_1.fixed_address == "203.0.113.7"
    second = form.second_trunk
    assert (second.use, second.channels, second.link) == (
        "overflow",
        "10",
        "Internet-2",
    )
    assert load(written(tmp_path, to_toml(form))) == form
