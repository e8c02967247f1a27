"""A computer with several users in a room of the lab. Its /var/lib and /var/tmp are its own, so its count of failed
attempts is neither that of the machine below nor that of another test.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .quick import quick_checklist

REPOSITORY = Path(__file__).parents[2]

_COMPILED = ("PYTHONDONTWRITEBYTECODE=", f"PYTHONPYCACHEPREFIX={REPOSITORY / '.venv' / 'compiled'}")
_OWN_FOLDERS = 'mount --bind "$0/lib" /var/lib && mount --bind "$0/tmp" /var/tmp && exec "$@"'
"A room's commands have mounts of their own already (ip-netns(8)), so nobody else sees these."


@dataclass(frozen=True)
class User:
    """Who sits there. sudo: root, in the environment that sudo(8) leaves."""

    name: str
    number: int
    sudo: bool = False


ROOT = User("root", 0)
ANNA = User("anna", 64001)
BERT = User("bert", 64002)
SUDO = User("anna with sudo", 0, sudo=True)


@dataclass(frozen=True)
class Machine:
    """Made by `machine()` only. folder: what every user may read."""

    folder: Path

    def tool(self, *arguments: str, user: User = ROOT) -> list[str]:
        """gosip-check as a command line for `Rooms.run` and `Rooms.start`."""
        return self.command([sys.executable, "-m", "gosip_check", *arguments], user=user)

    def command(self, argv: Sequence[str], user: User = ROOT) -> list[str]:
        """`argv` by a user of this machine, so that it becomes the command itself: one process id for both."""
        settings = [f"PYTHONPATH={REPOSITORY}", *_COMPILED, f"HOME={self.home(user)}"]
        settings += [f"PATH={os.environ['PATH']}"]
        if user.sudo:
            settings += ["SUDO_USER=anna", "LOGNAME=root", "USER=root"]
        become = ["setpriv", f"--reuid={user.number}", f"--regid={user.number}", "--clear-groups"]
        run = ["env", "-i", *settings, *(become if user.number else []), *argv]
        return ["sh", "-c", _OWN_FOLDERS, str(self.folder), *run]

    def home(self, user: User = ROOT) -> Path:
        """Where this user may write."""
        path = self.folder / f"home-{user.number}"
        path.mkdir(exist_ok=True)
        os.chown(path, user.number, user.number)
        return path

    def private(self, name: str, text: str, user: User = ROOT) -> Path:
        """A file that this user alone can read."""
        path = self.home(user) / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, user.number, user.number)
        return path

    def checklist(self, name: str, id_: str | None = None) -> Path:
        """A shipped one, cut down; where an id is given, somebody's own, with the domain written otherwise."""
        path = quick_checklist(name, self.folder)
        if id_ is not None:
            text = path.read_text().replace(f'\nid = "{name}"', f'\nid = "{id_}"', 1)
            path = self.folder / f"{id_}.toml"
            path.write_text(f'{text}\n[trunk]\ndomain = "TRUNK.gotel.com.mt"\n')
        path.chmod(0o644)
        return path

    def forget(self) -> None:
        """A machine that has never tried an account."""
        for path in self.folder.glob("home-*"):
            shutil.rmtree(path)
        for name in ("lib", "tmp"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        (self.folder / "lib").chmod(0o755)
        (self.folder / "tmp").chmod(0o1777)

    @property
    def written(self) -> list[Path]:
        """Every file that anybody left here."""
        return [path for path in self.folder.rglob("*") if path.is_file()]


@contextmanager
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="gosip-machine-", dir="/tmp"))
    folder.chmod(0o755)
    built = Machine(folder)
    built.forget()
    try:
        yield built
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def why_no_other_user() -> str | None:
    """Why another user of this machine cannot run the tool, as one sentence; None where he can."""
    command = [sys.executable, "-c", "import gosip_check.run"]
    try:
        subprocess.run(command, user=ANNA.number, group=ANNA.number, cwd=REPOSITORY, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "another user cannot run this interpreter or read this checkout"
    return None
