"""Captures and logs to SIP messages with time and direction, DNS questions and RTP counts. Opens files, never a socket.

Knows nothing of SIP but where a message begins and ends; `wire` and `heard` know the rest. Every reader is linear and
bounded: what is damaged, cut or too much is said in a sentence and never raises.
"""
