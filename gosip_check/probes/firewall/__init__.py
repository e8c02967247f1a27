"""What does the site's edge let out: the media range, port by port or as a sample, and the provider's management?
No call is made. Uses `net`, `dns`, `path` and the far end.
"""
