"""How long does `gosip-check --version` take beside a bare `import click`? Prints a table; asserts nothing.

    python tests/bench/bench_start.py [RUNS]

The two take turns, so that a machine that slows down slows both; the ratio is taken pair by pair.
"""

import statistics
import subprocess
import sys
import time

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 30

COMMANDS = {
    'python -c "import click"': [sys.executable, "-c", "import click"],
    "gosip-check --version": [sys.executable, "-m", "gosip_check", "--version"],
    "gosip-check --help": [sys.executable, "-m", "gosip_check", "--help"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


for command in COMMANDS.values():
    seconds(command)  # once unmeasured: the file cache is then warm for all
taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
for _ in range(RUNS):
    for name, command in COMMANDS.items():
        taken[name].append(seconds(command))

base = taken[next(iter(COMMANDS))]
print(f"{'command':28} {'median ms':>9} {'min':>6} {'max':>6} {'ratio, median of pairs':>23}")
for name, times in taken.items():
    ratio = statistics.median(mine / other for mine, other in zip(times, base, strict=True))
    low, middle, high = (1000 * value for value in (min(times), statistics.median(times), max(times)))
    print(f"{name:28} {middle:9.1f} {low:6.1f} {high:6.1f} {ratio:23.2f}")
