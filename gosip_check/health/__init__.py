"""The light check again and again: when it runs, what it keeps, who hears of it. Nothing here judges."""
