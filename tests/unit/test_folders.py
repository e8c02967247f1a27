"""The places of this user's files stay where they are, so that failed attempts at a password are found again."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from gosip_check.folders import NoHomeFolder, state_folder, unit_folder
from gosip_check.probes.secret import read_private
from tests.saved import here


def test_a_home_folder_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/installer")
    assert state_folder() == Path("/home/installer/.local/state/gosip-check")
    assert unit_folder() == Path("/home/installer/.config/systemd/user")


@pytest.mark.parametrize("named", ["", "here", "../state"])
def test_a_place_that_depends_on_where_the_tool_runs_is_none(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """Failed attempts would be counted apart in every folder, and the account be locked."""
    monkeypatch.setenv("HOME", "/home/installer")
    monkeypatch.setenv("XDG_STATE_HOME", named)
    assert state_folder() == Path("/home/installer/.local/state/gosip-check")


def test_the_variables_of_the_specification_move_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert (state_folder(), unit_folder()) == (Path("/state/gosip-check"), Path("/config/systemd/user"))


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user without an entry in passwd(5), and with an empty environment."""
    for variable in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_a_sentence_says_what_can_name_one() -> None:
    with pytest.raises(NoHomeFolder, match="no home folder; XDG_STATE_HOME can name one"):
        state_folder()
    with pytest.raises(NoHomeFolder, match="no home folder; XDG_CONFIG_HOME can name one"):
        unit_folder()


@pytest.mark.waits
@pytest.mark.parametrize(
    ("arguments", "code", "variable"),
    [
        (["history", "path"], 2, "XDG_STATE_HOME"),
        (["schedule", "show", "--kind", "systemd"], 4, "XDG_CONFIG_HOME"),
    ],
)
def test_a_command_without_a_home_folder_ends_in_that_sentence(arguments: list[str], code: int, variable: str) -> None:
    script = f"import pwd, sys; pwd.getpwuid = {{}}.__getitem__; sys.argv = ['gosip-check', *{arguments!r}]\n"
    script += "from gosip_check.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"Error: This user has no home folder; {variable} can name one instead.\n"


@pytest.mark.parametrize("name", ["", "-", ":memory:", "file:runs?mode=memory"])
@pytest.mark.parametrize(
    "command", ["health --demo nxdomain --history", "history show --history", "form new", "form fill", "fleet files"]
)
def test_a_name_that_means_something_else_is_no_file(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite keeps `:memory:` nowhere, and `-` is standard output elsewhere."""
    monkeypatch.chdir(tmp_path)
    code, printed = here(*command.split(), name)
    assert (code, "names no file and no folder; ./" in printed) == (2, True)
    assert not list(tmp_path.iterdir())


def test_half_a_form_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    code, printed = here("form", "new", tmp_path / "form.toml")
    assert (code, printed) == (4, f"Error: {tmp_path}/form.toml: cannot be written: No space left on device.\n")
    assert not list(tmp_path.iterdir())


def test_a_secret_that_is_too_long_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(b"0" * 16384)
    assert len(read_private(str(path))) == 16384
    path.write_bytes(b"0" * 16385)
    with pytest.raises(ValueError, match=r"is longer than 16 KiB\."):
        read_private(str(path))
