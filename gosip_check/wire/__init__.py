"""Bytes <-> objects: SIP, STAMP, SNTP, ICMP quotes, digests. No socket, clock, thread or logging; `now` is given.

What comes from the network is hostile: every reader raises its own error and nothing else, in linear time.
"""
