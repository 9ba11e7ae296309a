"""The operator's project from outside: its worker, its package, its page tree."""
