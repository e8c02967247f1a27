"""Does the provider take this account's password? One try, counted over all runs of this machine, because three
failures in a row lock the account. Uses `net` and `sip`.
"""
