"""Another line of this machine as the far end: as what is it seen from outside, and how do two NATs let two sockets of
ours speak to each other? Measures nothing of the line itself. Uses `net`, `dns`, `host`, `path`, `sip` and the far end.
"""
