"""The commands. Each file parses, calls and returns an exit code; all but Click is imported when a command runs."""
