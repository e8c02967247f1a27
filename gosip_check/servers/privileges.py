"""Give up root for good, once everything that needs it is open."""

import os

_NOBODY = 65534


def drop(user: int = _NOBODY, group: int = _NOBODY) -> bool:
    """True where root was given up, False where there was none to give up. Raises OSError when it cannot be."""
    if os.geteuid() != 0:
        return False
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    return True
