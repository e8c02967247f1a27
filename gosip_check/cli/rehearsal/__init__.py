"""What the installer reads and says in a rehearsal: the slip, the screen, and what to put back, however it ends.

Options are read by `cli/pbx.py`, the trunk is played by `servers/rehearsal`, and nothing is judged here. It must be
imported only when a command runs.

Doors: `rehearse` (all of it, for the command) and `screen` (what the phases are called, for the demo).
"""
