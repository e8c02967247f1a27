"""The fixed public address of the form, beside the one that servers saw."""

from typing import Any

import pytest
from msgspec.structs import replace

from gosip_check.links import as_on_form
from gosip_check.probes.nat import fixed_address, translation
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Form, InternetLine, Link


def seen_as(address: str | None) -> translation.Facts:
    nothing: dict[str, Any] = dict.fromkeys(translation.Facts.__struct_fields__)
    nothing.update(seen_by=[], hops_before_public=[], evidence={}, local_port=0, local_address="192.168.1.10")
    return translation.Facts(**{**nothing, "public_address": address})


@pytest.mark.parametrize(
    ("seen", "fixed", "same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.8", "203.0.113.7", False),
        ("2001:db8::1", "2001:0db8:0:0::1", True),
        (None, "203.0.113.7", None),
    ],
)
def test_the_address_that_was_seen_is_held_against_the_form(seen: str | None, fixed: str, same: bool | None) -> None:
    context = Context(Link("Internet-1", fixed_address=fixed), seen={"nat": seen_as(seen)})
    facts = fixed_address.measure(fixed_address.Options(), context)
    assert (facts.as_on_form, facts.seen) == (same, seen)
    assert fixed in facts.evidence["as_on_form"]


def test_without_a_fixed_address_on_the_form_nothing_is_said_of_the_site() -> None:
    with pytest.raises(ProbeFailed) as failed:
        fixed_address.measure(fixed_address.Options(), Context(Link("Internet-1")))
    assert failed.value.failure.kind is FailureKind.UNSUPPORTED


def test_each_link_gets_the_address_of_its_own_line_on_the_form() -> None:
    links = [Link("Internet-1"), Link("LTE", interface="wwan0"), Link("third")]
    form = Form(
        internet_1=InternetLine(fixed_address="203.0.113.7"), internet_2=InternetLine(fixed_address="192.0.2.2")
    )
    assert as_on_form(links, form) == [
        replace(links[0], fixed_address="203.0.113.7"),
        replace(links[1], fixed_address="192.0.2.2"),
        links[2],
    ]
    assert as_on_form(links, None) == links
