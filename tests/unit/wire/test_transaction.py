"""The client transaction against the schedule that RFC 3261 17.1.2 gives, with a clock made of numbers."""

import pytest

from gosip_check.wire import sip
from gosip_check.wire.transaction import FOREIGN_KEPT, ClientTransaction

REQUEST = (
    b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKmine;rport\r\n"
    b"From: <sip:probe@192.0.2.9:5070>;tag=a\r\n"
    b"To: <sip:192.0.2.1>\r\n"
    b"Call-ID: c@192.0.2.9\r\n"
    b"CSeq: 7 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def answer(status_line: str, branch: str = "z9hG4bKmine", cseq: str = "7 OPTIONS") -> bytes:
    head = f"{status_line}\r\nVia: SIP/2.0/UDP 192.0.2.9:5070;branch={branch};rport=5070\r\nCSeq: {cseq}\r\n"
    return f"{head}Content-Length: 0\r\n\r\n".encode()


def run(transaction: ClientTransaction) -> list[float]:
    """Times of all transmissions until the transaction is over, calling `due` exactly when it asks to be called."""
    times = []
    while (now := transaction.next_at) is not None:
        if transaction.due(now) == REQUEST:
            times.append(now)
    return times


def test_schedule_without_an_answer() -> None:
    transaction = ClientTransaction(REQUEST, now=100.0)
    assert run(transaction) == [100.0, 100.5, 101.5, 103.5, 107.5, 111.5, 115.5, 119.5, 123.5, 127.5, 131.5]
    assert transaction.sent == 11
    assert transaction.timed_out
    assert transaction.final is None


def test_timer_f_is_64_t1_unless_given() -> None:
    transaction = ClientTransaction(REQUEST, now=100.0, timeout_s=2.0)
    assert run(transaction) == [100.0, 100.5, 101.5]
    assert ClientTransaction(REQUEST, now=0.0).due(31.999) == REQUEST
    late = ClientTransaction(REQUEST, now=0.0)
    assert late.due(32.0) is None
    assert late.timed_out


def test_other_timer_values() -> None:
    assert run(ClientTransaction(REQUEST, 0.0, 0.25, 1.0, timeout_s=4.0)) == [0.0, 0.25, 0.75, 1.75, 2.75, 3.75]


def test_timeout_wins_over_a_retransmission_due_at_the_same_time() -> None:
    assert run(ClientTransaction(REQUEST, now=0.0, timeout_s=1.5)) == [0.0, 0.5]


def test_nothing_is_due_in_between() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    assert transaction.due(0.0) == REQUEST
    assert transaction.due(0.0) is None
    assert transaction.due(0.499) is None
    assert transaction.next_at == 0.5
    assert transaction.sent == 1


def test_a_late_caller_sends_once_and_not_in_a_burst() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    transaction.due(0.0)
    assert transaction.due(10.0) == REQUEST
    assert transaction.due(10.0) is None
    assert transaction.next_at == 11.0


def test_a_provisional_response_slows_retransmission_to_t2() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0, timeout_s=15.0)
    transaction.due(0.0)
    response = transaction.receive(answer("SIP/2.0 100 Trying"))
    assert response is not None
    assert response.status == 100
    assert transaction.provisional is response
    assert not transaction.is_over
    # Timer E as it stands fires at 0.5; only then is it set to T2.
    assert run(transaction) == [0.5, 4.5, 8.5, 12.5]


@pytest.mark.parametrize(
    "status_line", ["SIP/2.0 200 OK", "SIP/2.0 200", "SIP/2.0 404 Not Found", "SIP/2.0 603 Decline"]
)
def test_a_final_response_ends_it(status_line: str) -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    transaction.due(0.0)
    response = transaction.receive(answer(status_line))
    assert response is transaction.final
    assert response is not None
    assert transaction.is_over
    assert transaction.next_at is None
    assert transaction.due(0.5) is None
    assert transaction.due(99.0) is None
    assert not transaction.timed_out


def test_a_repeated_final_response_is_absorbed() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    first = transaction.receive(answer("SIP/2.0 200 OK"))
    assert transaction.receive(answer("SIP/2.0 500 Again")) is None
    assert transaction.final is first
    assert transaction.foreign == []


def test_case_of_the_branch_does_not_matter() -> None:
    assert ClientTransaction(REQUEST, now=0.0).receive(answer("SIP/2.0 200 OK", branch="Z9HG4BKMINE")) is not None


@pytest.mark.parametrize(
    "datagram",
    [
        answer("SIP/2.0 200 OK", branch="z9hG4bKother"),
        answer("SIP/2.0 200 OK", branch=""),
        answer("SIP/2.0 200 OK", cseq="7 INVITE"),
        answer("SIP/2.0 200 OK", cseq="7 options"),
        REQUEST,
    ],
    ids=["branch", "no branch", "method", "method is case-sensitive", "a request"],
)
def test_foreign_messages_are_kept_apart(datagram: bytes) -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    assert transaction.receive(datagram) is None
    assert [message.raw for message in transaction.foreign] == [datagram]
    assert not transaction.is_over


def test_a_flood_of_foreign_messages_is_not_hoarded() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    for _ in range(FOREIGN_KEPT + 5):
        transaction.receive(answer("SIP/2.0 200 OK", branch="z9hG4bKother"))
    assert len(transaction.foreign) == FOREIGN_KEPT


def test_unreadable_datagrams_leave_the_transaction_running() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0)
    with pytest.raises(sip.WireError, match="neither a SIP request nor a response"):
        transaction.receive(b"\x00\x01\x00\x00")
    with pytest.raises(sip.WireError, match="no Via header field"):
        transaction.receive(b"SIP/2.0 200 OK\r\n\r\n")
    assert transaction.due(0.0) == REQUEST
    assert transaction.receive(answer("SIP/2.0 200 OK")) is not None


def test_a_reliable_transport_is_sent_to_once() -> None:
    transaction = ClientTransaction(REQUEST, now=0.0, timeout_s=8.0, reliable=True)
    assert transaction.due(0.0) == REQUEST
    assert transaction.next_at == 8.0
    assert run(transaction) == []
    assert transaction.sent == 1
    assert transaction.timed_out


def test_a_request_that_no_answer_could_match_is_refused() -> None:
    with pytest.raises(sip.WireError, match="no branch"):
        ClientTransaction(REQUEST.replace(b";branch=z9hG4bKmine", b""), now=0.0)
