"""The dashboards held against the types of @grafana/schema by the TypeScript compiler. Needs npm and its registry.

    python -m tests.bench.bench_dashboards

A field that Grafana does not know, or a value of another kind, is an error. Ends with the compiler's exit code.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from gosip_check.fleet import content

# In JSON a member of an enumeration is its text.
_TYPES = """\
import type { Dashboard } from '@grafana/schema';
export type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
export const board: Json<Dashboard> = """


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "@grafana/schema", "typescript"]
        subprocess.run(["npm", "init", "-y"], cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)
        subprocess.run(install, cwd=folder, check=True, timeout=300)
        files = []
        for name in ("dashboard-fleet", "dashboard-site"):
            files.append(f"{name}.ts")
            Path(folder, files[-1]).write_text(_TYPES + content(f"{name}.json"), encoding="utf-8")
        how = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]
        done = subprocess.run(["npx", "tsc", *how, *files], cwd=folder, timeout=300, check=False)
        print("right" if done.returncode == 0 else "WRONG")
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
