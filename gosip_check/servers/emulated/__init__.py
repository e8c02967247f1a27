"""A PBX in memory, for the demo and the tests: it does what the guide wants, or one thing otherwise.

It opens no socket of this machine and waits for no clock: it lives in the world of `virtual`. It proves that the
rehearsal's logic holds together, never that its wire formats are right.

Doors: `rehearsal` (a whole one, in a moment), `behaviour` (what the PBX does), `faults` (what can be wrong with it).
Uses `virtual` and the room `rehearsal`, which must not know it.
"""
