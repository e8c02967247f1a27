"""Do calls work on this link? Loss, jitter, delay, rate and voice quality of N channels against a reflector, or what
echoes and round trips can prove without one. Uses `net`, `dns`, `host`, `path`, `sip` and the far end.
"""
