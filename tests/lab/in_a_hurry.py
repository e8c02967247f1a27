"""gosip-check that waits seconds, not minutes, for a binding to expire: `python -m tests.lab.in_a_hurry ...`."""

from gosip_check.__main__ import main
from gosip_check.probes.nat import binding_lifetime

if __name__ == "__main__":
    binding_lifetime.WAITS_S = (1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 11.0)
    main()
