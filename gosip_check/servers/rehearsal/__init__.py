"""The provider's trunk, played for one PBX: names, two sites, registrar, keep-alive, and calls that a melody answers.

What was said is written down as records of `heard`, and never judged here. No other address is served, no call relayed.
How to speak to the installer is handed in. It knows nothing of the emulated PBX.

Doors: `rehearsal` (all of it), `phases` and `scripts` (what it does, and which numbers it knows), `media` (its ports),
`world` (its clock and network). Uses `limits`.
"""
