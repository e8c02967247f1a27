"""Do the site's internet links make up for each other? Sends nothing: compares what was found on each of them.
Uses no other room.
"""
