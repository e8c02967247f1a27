"""The search for how many channels a line carries, against lines that are known."""

import pytest

from gosip_check.probes.media.capacity import MOST_CHANNELS, Capacity, Criterion, carries, search

USUAL = Criterion(delivered_pct=99, loss_pct=1)


class Line:
    """Carries `most`; this machine cannot try more than `ours`. Counts the tries."""

    def __init__(self, most: int, ours: int = MOST_CHANNELS) -> None:
        self.most, self.ours, self.tries = most, ours, 0

    def attempt(self, channels: int) -> bool | None:
        self.tries += 1
        assert 1 <= channels <= MOST_CHANNELS
        return None if channels > self.ours else channels <= self.most


@pytest.mark.parametrize("most", [0, 1, 2, 3, 9, 10, 11, 47, 100, 555, 1024, 1999, 2000, 5000])
@pytest.mark.parametrize("tried", [1, 10, 600])
def test_the_answer_is_right_to_a_twentieth(most: int, tried: int) -> None:
    line = Line(most)
    found = search(tried, tried <= most, line.attempt)
    true = min(most, MOST_CHANNELS)
    assert true - true // 20 <= found.channels <= true
    assert found.failed_at is None if most >= MOST_CHANNELS else found.failed_at is not None
    assert found.failed_at is None or found.failed_at > most
    assert line.tries <= 30


def test_what_our_own_machines_cannot_try_makes_a_lower_bound() -> None:
    found = search(10, True, Line(1000, ours=90).attempt)
    assert (found.channels, found.failed_at) == (80, None)
    said = found.sentence(USUAL)
    assert said.startswith(
        "80 channels at once had at least 99 % delivered and at most 1 % lost in any 15 s. With more"
    )


def test_nothing_known_and_nothing_possible() -> None:
    assert search(10, None, lambda _: None) == Capacity(0, None)


def test_one_bad_moment_is_not_the_line() -> None:
    tries: list[int] = []

    def attempt(channels: int) -> bool:
        tries.append(channels)
        return channels <= 40 and tries.count(channels) > 1

    assert search(10, True, attempt).channels == 40


def test_one_moment_of_our_own_does_not_end_the_search() -> None:
    tries: list[int] = []

    def attempt(channels: int) -> bool | None:
        tries.append(channels)
        return None if tries.count(channels) < 3 and channels == 80 else channels <= 100

    found = search(10, True, attempt)
    assert 95 <= found.channels <= 100
    assert found.failed_at is not None


@pytest.mark.parametrize(
    ("delivered", "loss", "is_ours", "went"),
    [
        ((99.5, 99.5), (0.2, 0.2), True, True),
        ((90.0, 95.0), (0.0, 1.0), True, False),
        ((99.9, 99.9), (2.0, 2.0), True, False),
        ((98.0, 100.0), (0.0, 0.5), True, None),
        ((98.0, 100.0), (0.0, 0.5), False, False),
        ((None, None), (0.0, 0.0), True, None),
        ((99.5, 99.5), (None, None), True, None),
    ],
)
def test_a_try_counts_only_as_far_as_it_proves_something(
    delivered: tuple[float | None, float | None],
    loss: tuple[float | None, float | None],
    is_ours: bool,
    went: bool | None,
) -> None:
    assert carries(delivered, loss, USUAL, is_ours=is_ours) is went
