"""The provider's Customer Compliance Form: its file, its fields, and what at the site tells its own name.

Nothing here decides whether a site is ready; what was found by looking is marked until a person confirms it.
"""
