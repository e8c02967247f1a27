"""Does something on the way read and change SIP (a SIP ALG)? Several methods look, each at its own part of the way, and
every one ends in a finding. Uses `net`, `dns`, `path`, `sip` and the far end.
"""
