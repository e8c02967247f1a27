"""Which hops lie between the site and the provider, what did they see of a datagram that died there, and how large may
a packet be? Everything that is learnt from ICMP errors begins here. Uses `net` and `dns`.
"""
