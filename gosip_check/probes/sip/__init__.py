"""Does SIP get to the provider's servers and back? One exchange over UDP, TCP or TLS, a silence that the edge
explains, and messages that are large. Never a call. Uses `net`, `dns` and `path`.
"""
