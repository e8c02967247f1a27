"""Does the PBX speak as the provider's guide demands? Answered from what it said, by pure functions; nothing is sent.

What was said comes from a rehearsal or a capture (`heard`), and a fact says what kind of thing was seen, best kind
first; the checklist judges. A message that was cut, masked or not seen decides nothing. Uses no other room.
"""
