"""Far ends that we offer: a reflector with a SIP mirror to be run in public, and an emulated trunk to try it with.

They import `wire` and one another, never a probe: the two ends share the bytes and nothing else.
"""
