"""A-law against the conversion of Python's own library, for every sample."""

import pytest

from gosip_check.wire import g711

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_every_sample_is_written_as_another_writes_it() -> None:
    audioop = pytest.importorskip("audioop")  # gone in Python 3.13
    samples = range(-32768, 32768)
    linear = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    assert bytes(map(g711.alaw, samples)) == audioop.lin2alaw(linear, 2)


def test_a_tone_lasts_as_long_as_it_was_asked_for() -> None:
    assert len(g711.tone(440, 20)) == 160
    assert set(g711.tone(0, 20)) == set(g711.SILENCE)
