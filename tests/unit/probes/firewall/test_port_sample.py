"""Which ports are tried, and how the edges of a blocked range are found."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gosip_check.probes.firewall.port_sample import USUAL_CUTS, Run, inside, next_ports, runs, sample


def test_the_sample_has_the_ends_and_both_sides_of_every_usual_cut() -> None:
    ports = sample(1024, 65535, 7)
    assert {1024, 65535} <= set(ports)
    assert {port for cut in USUAL_CUTS for port in (cut - 1, cut)} <= set(ports)
    assert len(ports) == 28
    assert ports == sorted(set(ports))


def test_the_same_seed_draws_the_same_ports() -> None:
    assert sample(1024, 65535, 7) == sample(1024, 65535, 7)
    assert sample(1024, 65535, 7) != sample(1024, 65535, 8)


@given(st.integers(1, 65535), st.integers(0, 3000), st.integers(0, 2**31))
def test_any_range_is_sampled_inside_itself(first: int, size: int, seed: int) -> None:
    last = min(65535, first + size)
    ports = sample(first, last, seed)
    assert ports[0] == first
    assert ports[-1] == last
    assert len(ports) <= 28


def test_runs_end_at_open_ports_and_at_the_range() -> None:
    known = {1024: True, 2000: True, 3000: False, 4000: True, 5000: False}
    assert runs(known, 1024, 65535) == [Run(1024, 2000, 1023, 3000), Run(4000, 4000, 3000, 5000)]
    assert runs({65535: True}, 1024, 65535) == [Run(65535, 65535, 1023, 65536)]
    assert runs({}, 1024, 65535) == []


@settings(max_examples=300)
@given(st.integers(1024, 65535), st.integers(0, 40000), st.integers(0, 40000))
def test_the_search_finds_the_edges_to_the_port(first: int, size: int, place: int) -> None:
    last = min(65535, first + size)
    known = {min(last, first + place): True}
    for _ in range(64):
        ports = [port for run in runs(known, 1024, 65535) for port in next_ports(run)]
        if not ports:
            break
        assert not set(ports) & set(known), "a port is asked for twice"
        known.update({port: first <= port <= last for port in ports})
    assert runs(known, 1024, 65535) == [Run(first, last, first - 1, last + 1)]


def test_a_hole_of_a_thirtieth_is_always_met() -> None:
    run = Run(10000, 39999, 9999, 40000)
    for seed in range(50):
        tried = inside(run, [], seed)
        assert any(20000 <= port < 21300 for port in tried)
        assert all(run.low <= port <= run.high for port in tried)


def test_a_small_run_is_tried_in_full_and_nothing_twice() -> None:
    assert inside(Run(10, 14, 9, 15), [10, 14], 1) == [11, 12, 13]
    assert inside(Run(10, 14, 9, 15), range(10, 15), 1) == []
