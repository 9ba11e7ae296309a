"""What a delivery would lose: what was written since the backup, by whom, and which policy."""
