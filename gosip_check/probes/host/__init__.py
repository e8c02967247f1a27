"""Is the machine that measures fit for it? Its processor, memory, clock, interface, and the time servers it may ask.
Changes nothing on it. Uses `net` and `dns`.
"""
