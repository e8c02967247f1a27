"""`run --again` after a repair says what a whole run says, and takes less time. The other faults: bench_again."""

from pathlib import Path

from .repair import repaired


def test_a_sip_alg_that_was_switched_off(tmp_path: Path) -> None:
    row = repaired("sip-alg", tmp_path, ("--duration", "2"))
    assert row.differ == {}
    assert row.taken_over >= 5
    assert row.again_s < row.whole_s
