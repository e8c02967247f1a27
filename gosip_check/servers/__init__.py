"""Far ends that we offer: a reflector with a SIP mirror to be run in public, and an emulated trunk to try it with.

They import `wire`, `heard` and one another, never a probe: the two ends share the bytes and nothing else. A rehearsal
writes down what it hears, as the records of `heard`.
"""
