"""How does a link translate addresses, and how long does it remember a flow that is silent? Answered by what servers
saw of us. Uses `net`, `dns`, `host`, `path`, `sip` and the far end.
"""
