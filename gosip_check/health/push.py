"""Sends what the light checks found to a central store of metrics, for sites that nobody can scrape.

What is sent is Prometheus text with the time of each run, to an import endpoint. What could not be sent stays in the
history and goes next time, with its own time. urllib3 opens the connection; nothing here judges or measures.
"""

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address

import urllib3

from gosip_check.health.history import History, report_of
from gosip_check.records import Readiness, Report
from gosip_check.report.text import brief
from gosip_check.report.to_prometheus import stamped

_AT_ONCE = 50
"Runs in one request: some 200 KB."

_LONGEST_S = 20.0
"What one check may spend on sending. What is left then goes next time."

_TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)
_RETRIES = urllib3.Retry(
    total=2, redirect=0, backoff_factor=0.5, backoff_max=2.0, status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=["POST"], respect_retry_after_header=False, raise_on_status=False, raise_on_redirect=False,
)  # fmt: skip
"Three tries within some seconds. No redirect is followed: the headers are for this receiver alone."

_REFUSED = (400, 413, 422)
"Answers that say: not this. To send the same again would change nothing."

_TABLE = "CREATE TABLE IF NOT EXISTS pushed (receiver TEXT PRIMARY KEY, run INTEGER NOT NULL)"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"A token of RFC 9110, section 5.6.2."


@dataclass(frozen=True)
class Receiver:
    """Where metrics go. headers: they may hold a secret, and no sentence shows them."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError with the end of a sentence."""
        parsed = _parsed(self.url)
        if parsed.auth:
            raise ValueError("must hold no password: put an Authorization header into a file for --push-headers-file.")
        if self.headers and parsed.scheme == "http" and not self.is_here:
            raise ValueError("would send the headers in clear text; use https.")

    @property
    def is_here(self) -> bool:
        """It is this very machine."""
        host = (_parsed(self.url).host or "").strip("[]")
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def key(self) -> str:
        """What the history knows it by: what is in the URL stays out of it."""
        return hashlib.sha256(self.url.encode()).hexdigest()


def _parsed(url: str) -> urllib3.util.Url:
    try:
        parsed = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError as error:
        raise ValueError("is no URL.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("is no URL that begins with https:// or http://.")
    return parsed


def headers_in(content: bytes) -> dict[str, str]:
    """`Name: value` on each line; empty lines do not count. Raises ValueError with the end of a sentence."""
    headers = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not _NAME.fullmatch(name) or not value.strip().isascii() or not value.strip().isprintable():
            raise ValueError(f"line {number} is no header; use Name: value.")  # without the line: it may be a secret
        headers[name] = value.strip()
    return headers


def push(history: History | None, report: Report, last_success: datetime | None, receiver: Receiver) -> list[str]:
    """Send what this receiver has not got yet; without a history this report alone. A sentence for each trouble.

    Raises HistoryError.
    """
    pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=_RETRIES, headers=dict(receiver.headers))
    if history is None:
        trouble, _ = _post(pool, receiver, stamped([(report, last_success)]))
        return [f"{trouble} This run is not kept, so it is lost."] if trouble else []
    return list(_send_unsent(history, report, receiver, pool))


def _send_unsent(history: History, report: Report, receiver: Receiver, pool: urllib3.PoolManager) -> Iterator[str]:
    until_s, at_once = time.monotonic() + _LONGEST_S, _AT_ONCE
    while batch := _unsent(history, receiver, report, at_once):
        if time.monotonic() > until_s:
            yield f"Sending takes long. {_waiting(history, receiver)}"
            return
        runs = [(run, ready) for _, run, ready in batch if run is not None]
        trouble, is_refused = _post(pool, receiver, stamped(runs))
        if is_refused and at_once > 1:
            at_once = 1  # find out which of them
            continue
        if is_refused:
            yield f"{trouble} The run of {runs[0][0].started:%Y-%m-%d %H:%M:%S} UTC is not sent again."
        elif trouble:
            yield f"{trouble} {_waiting(history, receiver)}"
            return
        _mark(history, receiver, batch[-1][0])


def _post(pool: urllib3.PoolManager, receiver: Receiver, text: bytes) -> tuple[str, bool]:
    """What went wrong, empty where nothing did; and whether the receiver refuses what was sent."""
    if not text:  # runs that this version cannot read
        return "", False
    host = _parsed(receiver.url).netloc
    try:
        answer = pool.request(
            "POST", receiver.url, body=text, headers={**receiver.headers, "Content-Type": "text/plain; version=0.0.4"},
            preload_content=False,
        )  # fmt: skip
        words = answer.read(300).decode("utf-8", "replace")
        answer.release_conn()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        return f"{host} could not be reached: {brief(str(reason))}.", False
    if 200 <= answer.status < 300:
        return "", False
    said = f" ({brief(words.strip())})" if words.strip() else ""
    return f"{host} answered {answer.status}{said}.", answer.status in _REFUSED


def _unsent(
    history: History, receiver: Receiver, report: Report, most: int
) -> list[tuple[int, Report | None, datetime | None]]:
    """(number, run, when a run last was ready then), the oldest first. To a new receiver this report is the first.

    A run is None where this version cannot read it.
    """
    with history.writing() as database:
        database.execute(_TABLE)
        database.execute(
            "INSERT OR IGNORE INTO pushed SELECT ?, number - 1 FROM run WHERE id = ?", (receiver.key, report.id)
        )
        rows = database.execute(
            "SELECT number, report, (SELECT max(started_s) FROM run AS ready WHERE ready.site = run.site "
            "AND ready.outcome = ? AND ready.number <= run.number) FROM run "
            "WHERE number > (SELECT run FROM pushed WHERE receiver = ?) ORDER BY number LIMIT ?",
            (Readiness.READY.value, receiver.key, most),
        ).fetchall()
    ready = [None if ready_s is None else datetime.fromtimestamp(ready_s, UTC) for _, _, ready_s in rows]
    return [(row[0], report_of(row[1]), last) for row, last in zip(rows, ready, strict=True)]


def _waiting(history: History, receiver: Receiver) -> str:
    with history.writing() as database:
        (count,) = database.execute(
            "SELECT count(*) FROM run WHERE number > (SELECT run FROM pushed WHERE receiver = ?)", (receiver.key,)
        ).fetchone()
    return f"{count} run(s) wait in the history and go next time."


def _mark(history: History, receiver: Receiver, number: int) -> None:
    """All up to this run have arrived. Another process may be further already."""
    with history.writing() as database:
        database.execute("UPDATE pushed SET run = max(run, ?) WHERE receiver = ?", (number, receiver.key))
