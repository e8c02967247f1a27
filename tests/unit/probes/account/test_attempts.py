"""The count of failed attempts: one for a machine and an account, whoever tries, however it is written."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gosip_check.probes.account.attempts import MOST, AttemptRunning, attempts, refusal
from gosip_check.probes.probe import ProbeFailed

REPOSITORY = Path(__file__).parents[4]
NUMBER = "35621000000"
NOBODY = 65534
PROVIDER = "the provider"

Files = tuple[Path, Path]


@pytest.fixture
def plain_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only anybody's file is made."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def fail_once(*names: str) -> None:
    with attempts(*names) as record:
        record.begin()


def failures(*names: str) -> int:
    with attempts(*names) as record:
        return record.failures


@pytest.mark.usefixtures("plain_user")
def test_an_attempt_stays_until_one_succeeds(count_files: Files) -> None:
    fail_once(NUMBER)
    with attempts(NUMBER) as record:
        assert record.failures == 1
        record.begin()
        with pytest.raises(ProbeFailed, match="third attempt"):
            record.begin()
    assert failures("35621000001") == 0
    assert NUMBER not in count_files[1].read_text()
    with attempts(NUMBER) as record:
        assert record.failures == MOST
        record.succeeded()
        assert record.failures == 0
    assert count_files[1].read_text() == "{}"


@pytest.mark.parametrize(
    "spelling",
    [
        "+35621000000",
        "0035621000000",
        "+356 2100 0000",
        "(00356) 2100-0000",
        "356.21000000",
        "21000000",
        "35621000000@trunk.gotel.com.mt",
        "sip:+35621000000@trunke.gotel.com.mt",
        "tel:+356-2100-0000",
    ],
)
def test_one_number_is_one_account(spelling: str) -> None:
    fail_once(spelling)
    assert failures(NUMBER) == 1
    fail_once(NUMBER)
    assert failures(spelling) == 2
    assert failures("35621000001") == failures("35699000000") == 0


def test_names_that_are_no_numbers() -> None:
    fail_once("Trunk-47@one.example")
    assert failures("trunk-47@two.example") == 1
    assert failures("trunk-48") == failures("47") == 0


def test_an_authentication_name_has_its_own_failures() -> None:
    """Whichever of the two the provider locks, it is not tried a third time."""
    fail_once(NUMBER, "auth one")
    fail_once(NUMBER, "auth two")
    assert failures(NUMBER, "auth three") == 2
    assert failures("35621000001", "auth two") == 1
    with attempts(NUMBER, "auth two") as record:
        record.succeeded()
    assert (failures(NUMBER), failures("auth one"), failures("auth two")) == (0, 1, 0)


@pytest.mark.parametrize("umask", [0o022, 0o077])
@pytest.mark.usefixtures("root")
def test_root_makes_a_file_that_everybody_can_write(count_files: Files, umask: int) -> None:
    before = os.umask(umask)
    try:
        fail_once(NUMBER)
    finally:
        os.umask(before)
    roots, anybodys = count_files
    assert stat.S_IMODE(roots.parent.stat().st_mode) == 0o755
    assert [stat.S_IMODE(path.stat().st_mode) for path in count_files] == [0o666, 0o666]
    assert len(json.loads(roots.read_text())) == 1
    assert json.loads(anybodys.read_text()) == {}
    assert sorted(path.name for path in roots.parent.iterdir()) == ["attempts.json"]


def test_both_files_are_added_and_both_struck_out(count_files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fail_once(NUMBER)
    assert not count_files[0].exists()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    fail_once(NUMBER)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert failures(NUMBER) == 2
    assert all(len(json.loads(path.read_text())) == 1 for path in count_files)
    with attempts(NUMBER) as record:
        record.succeeded()
    assert [json.loads(path.read_text()) for path in count_files] == [{}, {}]


@pytest.mark.usefixtures("root")
def test_a_file_is_written_in_place_and_never_made_where_it_exists(
    count_files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fs.protected_regular refuses O_CREAT on another user's file in a sticky folder, and rename is refused there."""
    fail_once(NUMBER)
    before = [path.stat().st_ino for path in count_files]
    flags: list[int] = []
    opened = os.open

    def recorded(path: str, flag: int, *others: int) -> int:
        flags.append(flag)
        return opened(path, flag, *others)

    monkeypatch.setattr(os, "open", recorded)
    monkeypatch.setattr(os, "rename", None)
    monkeypatch.setattr(os, "replace", None)
    fail_once(NUMBER)
    with attempts(NUMBER) as record:
        record.succeeded()
    assert len(flags) == 4
    assert not any(flag & os.O_CREAT for flag in flags)
    assert all(flag & os.O_NOFOLLOW for flag in flags)
    assert [path.stat().st_ino for path in count_files] == before


DAMAGED = [b"", b"[]", b'{"x": -1}', b'{"x": true}', b'{"x": "1"}', b"\xff", b"[" * 100_000, b"{}" + b" " * (1 << 20)]


@pytest.mark.parametrize("content", DAMAGED, ids=[repr(content[:8]) for content in DAMAGED])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.usefixtures("root")
def test_what_cannot_be_read_counts_as_one_failure(count_files: Files, content: bytes, number: int) -> None:
    """Of every account, until one of its attempts succeeds."""
    failures(NUMBER)
    count_files[number].write_bytes(content)
    with attempts(NUMBER) as record:
        assert (record.failures, record.why_not(PROVIDER, again=True)) == (1, None)
        assert f"{count_files[number]} could not be read" in str(record.why_not(PROVIDER, again=False))
        record.begin()
    with attempts(NUMBER) as record:
        assert "A third failure in a row locks" in str(record.why_not(PROVIDER, again=True))
        record.succeeded()
    assert failures(NUMBER) == 0
    assert failures("35621000001") == 1


@pytest.mark.usefixtures("root")
def test_two_files_that_cannot_be_read_allow_no_attempt(count_files: Files) -> None:
    failures(NUMBER)
    for path in count_files:
        path.write_bytes(b"\0")
    with attempts(NUMBER) as record, pytest.raises(ProbeFailed, match="third attempt"):
        record.begin()


def _symlink(path: Path) -> None:
    path.with_name("other").write_text("{}")
    path.symlink_to(path.with_name("other"))


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _hard_link(path: Path) -> None:
    path.with_name("other").write_text("{}")
    path.hardlink_to(path.with_name("other"))


@pytest.mark.parametrize("make", [_symlink, _dangling, _hard_link, Path.mkdir, os.mkfifo])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.usefixtures("root")
def test_what_is_no_plain_file_allows_no_attempt(count_files: Files, make: object, number: int) -> None:
    assert callable(make)
    count_files[0].parent.mkdir()
    make(count_files[number])
    with pytest.raises(ProbeFailed, match="cannot be kept in"), attempts(NUMBER):
        pass
    assert str(count_files[number]) in str(refusal(PROVIDER, NUMBER, again=True))
    others = [path.read_text() for path in count_files[number].parent.iterdir() if path.name == "other"]
    assert others in ([], ["{}"])


@pytest.mark.usefixtures("plain_user")
def test_a_count_that_cannot_be_made_allows_no_attempt(count_files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gosip_check.probes.account.attempts.ANYBODYS_FILE", count_files[1].parent / "gone" / "x")
    with pytest.raises(ProbeFailed, match="cannot be made"), attempts(NUMBER):
        pass


def test_a_full_disk_allows_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    with attempts(NUMBER) as record:
        monkeypatch.setattr(os, "pwrite", lambda *_: 0)
        with pytest.raises(ProbeFailed, match="No space left"):
            record.begin()


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.usefixtures("root")
def test_two_runs_do_not_try_at_once(count_files: Files, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    """Either file keeps the other run out: one of the two may not see root's."""
    failures(NUMBER)
    elsewhere = count_files[1].with_name("elsewhere.json")
    name = ("ROOTS_FILE", "ANYBODYS_FILE")[1 - held]
    with monkeypatch.context() as other:
        other.setattr(f"gosip_check.probes.account.attempts.{name}", elsewhere)
        run = attempts(NUMBER)
        run.__enter__()
    try:
        with pytest.raises(AttemptRunning, match="Another run is trying"), attempts("35621000001"):
            pass
        assert refusal(PROVIDER, NUMBER, again=False) is None  # it may be over by then
    finally:
        run.__exit__(None, None, None)
    assert failures(NUMBER) == 0


def test_a_refusal_that_is_certain_is_known_before(count_files: Files) -> None:
    assert refusal(PROVIDER, NUMBER, again=False) is None
    assert not any(path.exists() for path in count_files)  # to look makes nothing
    fail_once(NUMBER)
    assert "--i-know" in str(refusal(PROVIDER, "+356 2100 0000", again=False))
    assert refusal(PROVIDER, NUMBER, again=True) is None
    fail_once(NUMBER)
    assert "sudo rm" in str(refusal(PROVIDER, NUMBER, again=True))
    assert refusal(PROVIDER, "35621000001", again=False) is None


SCRIPT = """
import os, signal, sys
from pathlib import Path
from gosip_check.probes.account import attempts
attempts.ROOTS_FILE, attempts.ANYBODYS_FILE = Path(sys.argv[1]), Path(sys.argv[2])
with attempts.attempts(sys.argv[3]) as record:
    print(record.failures, record.why_not("x", again=True), flush=True)
    if record.failures < 2:
        record.begin()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_trying(files: Files, number: str, user: int | None = None) -> str:
    """What a run of its own saw, which was killed after its attempt was written down."""
    command = [sys.executable, "-c", SCRIPT, *map(str, files), number]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd=REPOSITORY, env={"PYTHONDONTWRITEBYTECODE": "1"},
        user=user, group=user, extra_groups=None if user is None else [],
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout


@pytest.mark.waits
def test_an_attempt_that_is_killed_half_way_counts(count_files: Files) -> None:
    killed_while_trying(count_files, NUMBER)
    assert failures(NUMBER) == 1


@pytest.fixture
def sticky() -> Iterator[Path]:
    """A folder as /var/tmp is, that every user can reach."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.waits
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become two other users")
@pytest.mark.parametrize("order", [(NOBODY, 1, 0), (0, NOBODY, 1), (1, 0, NOBODY)])
def test_every_user_counts_in_the_same_files(sticky: Path, order: tuple[int, int, int]) -> None:
    files = sticky / "lib" / "attempts.json", sticky / "attempts.json"
    files[0].parent.mkdir()
    files[0].parent.chmod(0o755)
    try:
        subprocess.run([sys.executable, "-c", "import gosip_check.run"], user=NOBODY, cwd=REPOSITORY, check=True)
    except (subprocess.CalledProcessError, PermissionError):
        pytest.skip("another user cannot run this interpreter or read this tree")
    seen = [killed_while_trying(files, NUMBER, user) for user in order]
    assert [int(words.split()[0]) for words in seen[1:]] == [1, 2]
    assert "A third failure in a row locks" in seen[2]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files if path.exists()} == {0o666}
