"""gosip-check: will calls work here? Checks a site before a SIP trunk is provisioned, and afterwards on a schedule."""

__version__ = "0.2.0"
