"""Dumps: made, fetched, proven, read and restored."""
