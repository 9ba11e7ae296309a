"""Databases as a user of the system knows them: dump, restore, checkpoint, swap."""
