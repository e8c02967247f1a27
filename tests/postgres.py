"""A PostgreSQL server of one test's own: Debian's, on a socket in a folder of its own, without any network."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
INSTALLED = bool(_PROGRAMS) and shutil.which("psql") is not None


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """The environment in which psql reaches the server, which ends with this. It runs as a user of its own, as it must,
    who cannot reach the folders of pytest.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        yield from _serving(Path(folder))


def _serving(folder: Path) -> Iterator[dict[str, str]]:
    programs, data = _PROGRAMS[-1], folder / "data"
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(programs / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL, cwd=folder)

    run("initdb", "--no-sync", "--auth=trust", "--username=desk", "--encoding=UTF8", "--locale=C.UTF-8")
    run("pg_ctl", "start", "--wait", "-o", options, "-l", str(folder / "log"))
    try:
        yield {**os.environ, "PGHOST": str(folder), "PGUSER": "desk", "PGDATABASE": "postgres"}
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
