"""Is the edge device short of processor or memory while calls run? Read by SNMP, and only where an access file was
named. Uses no other room.
"""
