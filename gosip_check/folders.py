"""Where files lie: this user's by the XDG Base Directory Specification, and the machine's. Makes and reads none."""

import os
from pathlib import Path

MACHINE_FOLDER = Path("/var/lib/gosip-check")
"For what root keeps for every user of this machine; also the StateDirectory of a unit of the whole machine."


class NoHomeFolder(Exception):
    """This user has no home folder, and no variable names another one. The text is a sentence."""


def state_folder() -> Path:
    """For what one run leaves for the next: the history, kept reports. Raises NoHomeFolder."""
    return _base("XDG_STATE_HOME", ".local/state") / "gosip-check"


def config_folder() -> Path:
    """For what a user chooses once: the defaults. Raises NoHomeFolder."""
    return _base("XDG_CONFIG_HOME", ".config") / "gosip-check"


def unit_folder() -> Path:
    """For the units of this user's own systemd, systemd.unit(5). Raises NoHomeFolder."""
    return _base("XDG_CONFIG_HOME", ".config") / "systemd" / "user"


def _base(variable: str, otherwise: str) -> Path:
    """The variable's folder, else one of the home folder. The specification has a relative path ignored."""
    named = Path(os.environ.get(variable, ""))
    if named.is_absolute():
        return named
    try:
        return Path.home() / otherwise
    except RuntimeError as error:
        raise NoHomeFolder(f"This user has no home folder; {variable} can name one instead.") from error
