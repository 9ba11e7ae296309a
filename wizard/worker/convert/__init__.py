"""The conversion itself, and what is done after it."""
