"""What failed beside eight other tests is tried once more, alone: `python -m tests.alone EXIT_CODE`, after pytest.

Many tests measure times, and are right only on a machine that keeps time. Beside others it may not. So what failed
fails for good where it fails alone as well, or where too much failed to be the machine's doing. What passed alone is
named at the end, because such a test does not measure what it needs: see tests/timely.py.
"""

import json
import subprocess
import sys
from pathlib import Path

_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_MOST = 4
_TESTS_FAILED = 1


def main(exit_code: int) -> int:
    """The exit code of the whole. exit_code: pytest's; anything but failed tests stays what it is."""
    failed = sorted(json.loads(_FAILED.read_text())) if _FAILED.exists() else []
    if exit_code != _TESTS_FAILED or not 0 < len(failed) <= _MOST:
        return exit_code
    print(f"\nOnce more, alone: {len(failed)} of the tests above.", flush=True)
    alone = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", "--last-failed"]).returncode
    if alone == 0:
        print("Failed beside the others, passed alone:", *failed, sep="\n  ")
    return alone


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
