"""Titles, hints and sources: what a field stands for, and that one which stands for nothing is refused."""

import msgspec
import pytest

from gosip_check.checklist import load
from gosip_check.templates import filled, values_of
from gosip_check.tomlfile import TomlError

GATEWAY = load("go-gateway").trunk
VALUES = values_of(GATEWAY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nothing to fill in.", "Nothing to fill in."),
        ("{provider}'s {device}: {port}/{transport}", "GO's gateway: 5061/TCP"),
        ("{networks}", "217.22.184.0/24 and 217.22.185.0/24"),
        ("to {all_networks}", "to both networks"),
        ("UDP {rtp_first}-{rtp_last}", "UDP 1024-65535"),
        ("{management_ports} at {management_addresses}", "22 and 443 at 40.130.246.217 and 40.130.246.218"),
        ("{reregistration_s} s, {kbps_per_channel} kb/s", "295 s, 100 kb/s"),
        ("one } alone, and { another", "one } alone, and { another"),
    ],
)
def test_what_a_field_stands_for(text: str, expected: str) -> None:
    assert filled(text, VALUES, "x") == expected


@pytest.mark.parametrize(
    ("networks", "listed", "counted"),
    [
        (["192.0.2.0/24"], "192.0.2.0/24", "the network"),
        (
            ["192.0.2.0/25", "192.0.2.128/25", "10.0.0.0/8"],
            "192.0.2.0/25, 192.0.2.128/25 and 10.0.0.0/8",
            "all 3 networks",
        ),
    ],
)
def test_as_many_networks_as_there_are(networks: list[str], listed: str, counted: str) -> None:
    values = values_of(msgspec.structs.replace(GATEWAY, networks=networks))
    assert (values["networks"], values["all_networks"]) == (listed, counted)


def test_a_value_is_filled_in_as_it_is() -> None:
    values = values_of(msgspec.structs.replace(GATEWAY, provider=r"{port} \1"))
    assert filled("ask {provider}", values, "x") == r"ask {port} \1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{network}", "x: there is no field {network}; did you mean 'networks'? There are {provider}, {guide}, "),
        ("{}", "x: there is no field {}. There are {provider}, "),
        ("{port.real}", "x: there is no field {port.real}"),
        ("{provider!r}", "x: there is no field {provider!r}"),
    ],
)
def test_an_unknown_field_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(TomlError) as caught:
        filled(text, VALUES, "x")
    assert str(caught.value).startswith(sentence)


def test_a_field_without_a_value_is_refused() -> None:
    with pytest.raises(TomlError) as caught:
        filled("{management_ports}", values_of(load("go-native").trunk), "x")
    assert str(caught.value) == "x: {management_ports} stands for nothing: [trunk] does not name it."
