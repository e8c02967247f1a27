"""Sockets, and what the kernel knows of them: the only room that opens any. Bytes go in and out; nothing is parsed.

Answers: from which address does a link send, does it have a route, how far did a packet get, what came back and when.
Uses no other room but `probe`.
"""
