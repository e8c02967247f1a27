"""Which ports of a far end answer, as `port_range` finds them: `python -m tests.lab.reach_ports ADDRESS PORT`.

Prints JSON: how many are proven, elsewhere and undecided, and the blocked ranges.
"""

import json
import sys

from gosip_check.probes.far_end import Reflector
from gosip_check.probes.firewall.port_range import ranges, reach
from gosip_check.probes.probe import Context
from gosip_check.records import Link

if __name__ == "__main__":
    found = reach(Context(Link(name="x")), Reflector(sys.argv[1], int(sys.argv[2])), range(1024, 65536))
    print(json.dumps([len(found.proven), len(found.elsewhere), len(found.undecided), ranges(found.blocked)]))
