"""The virtual world: time jumps to the next event, what is sent arrives, and scripts get what they wait for."""

import selectors
import socket

import pytest

from gosip_check.servers.virtual import Script, Scripts, VirtualWorld, Wait

A, B = ("10.0.0.1", 5060), ("10.0.0.2", 5060)


def test_time_passes_only_while_somebody_waits_and_then_at_once() -> None:
    world = VirtualWorld()
    began_s = world.time()
    assert world.selector().select(3600) == []
    assert world.monotonic() == pytest.approx(3600)
    assert world.time() - began_s == pytest.approx(3600)


def test_what_is_sent_arrives_and_ends_the_wait() -> None:
    world = VirtualWorld()
    here, there = world.bound(A), world.bound(B)
    waiting = world.selector()
    waiting.register(there, selectors.EVENT_READ)
    world.after(5, lambda: here.sendto(b"hello", B))
    ready = waiting.select(60)
    assert [key.fileobj for key, _ in ready] == [there]
    assert 5 < world.monotonic() < 5.1
    assert there.recvfrom(100) == (b"hello", A)
    with pytest.raises(BlockingIOError):
        there.recvfrom(100)


def test_a_place_is_taken_once_and_free_again_after_its_end() -> None:
    world = VirtualWorld()
    with world.bound(A), pytest.raises(OSError, match="taken"):
        world.bound(A)
    world.bound(A)
    assert world.bound(("10.0.0.1", 0)).getsockname() != world.bound(("10.0.0.1", 0)).getsockname()


def test_what_is_sent_to_nobody_is_lost() -> None:
    world = VirtualWorld()
    world.bound(A).sendto(b"hello", B)
    world.selector().select(1)
    assert world.bound(B).waiting == type(world.bound(("10.0.0.3", 1)).waiting)()


def test_a_script_gets_its_message_or_none_when_the_time_is_over() -> None:
    world = VirtualWorld()
    scripts, got = Scripts(world), []

    def script() -> Script[None]:
        got.append((yield Wait(10, "answer")))
        got.append((yield Wait(10, "answer")))

    scripts.begin(script())
    world.after(1, lambda: scripts.tell("answer", "yes"))
    world.selector().select(100)
    assert got == ["yes", None]
    assert not scripts.tell("answer", "too late")


def test_nothing_has_the_same_time_as_what_was_before() -> None:
    world = VirtualWorld()
    world.selector().select(10_000)
    before_s = world.monotonic()
    world.selector().select(1e-12)
    assert world.monotonic() > before_s


def test_a_person_thinks_before_he_answers_and_wakes_up_who_waits() -> None:
    world = VirtualWorld()
    waiting = world.selector()
    wake, woken = socket.socketpair()
    with wake, woken:
        waiting.register(woken, selectors.EVENT_READ)
        world.later(lambda: wake.send(b"x"))
        assert [key.fileobj for key, _ in waiting.select(60)] == [woken]
    assert 1 < world.monotonic() < 10
