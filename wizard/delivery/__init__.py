"""How the result gets to a target, what that would lose there, and what it came to."""
