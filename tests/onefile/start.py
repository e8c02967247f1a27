"""What the one file starts: the tool, or `-m MODULE` as Python does it, since the tool starts itself that way."""

import os
import runpy
import sys
from collections.abc import MutableMapping


def give_back_library_path(environment: MutableMapping[str, str]) -> None:
    """PyInstaller names its own libraries there. A program of this machine that we start must not get them."""
    before = environment.pop("LD_LIBRARY_PATH_ORIG", None)
    environment.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        environment["LD_LIBRARY_PATH"] = before


def main() -> None:
    """`[-P] -m MODULE ARGUMENTS` runs that module; all else is the command line of the tool."""
    give_back_library_path(os.environ)
    if sys.argv[1:2] == ["-P"]:  # nothing of the folder where it runs can be imported here anyway
        del sys.argv[1]
    if sys.argv[1:2] == ["-m"]:
        module = sys.argv[2]
        del sys.argv[1:3]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    from gosip_check.__main__ import main as tool

    tool()


if __name__ == "__main__":
    main()
