"""The light check again and again: when it runs, what it keeps, who is told. Nothing here judges."""
