"""Padded requests, and what it means which of them were answered."""

import pytest

from gosip_check.probes.probe import Context
from gosip_check.probes.sip.large import SIZES, Size, _facts, _padded
from gosip_check.records import Link
from gosip_check.wire import sip


@pytest.mark.parametrize("size", [*SIZES, 700, 701, 931])
def test_padded_requests_are_sip_of_exactly_the_size(size: int) -> None:
    message = _padded(Context(Link(name="l")), "trunk.example", "127.0.0.1", 5062, size)
    assert len(message) == size
    assert max(len(line) for line in message.split(b"\r\n")) < 300
    assert isinstance(sip.parse(message), sip.Request)


def _sizes(*answered: int) -> list[Size]:
    return [Size(octets=size, answered=size in answered, sent=3, icmp=None) for size in SIZES]


def test_lost_fragments_are_kept_apart_from_lost_messages() -> None:
    assert _facts("a", _sizes(*SIZES)).all_sizes_answered is True
    fragments = _facts("a", _sizes(500, 1200, 1400))
    assert (fragments.all_sizes_answered, fragments.largest_answered) == (False, 1400)
    assert "fragments" in fragments.evidence["all_sizes_answered"]
    assert "fragments" not in _facts("a", _sizes(500)).evidence["all_sizes_answered"]
    assert _facts("a", _sizes()).all_sizes_answered is None
