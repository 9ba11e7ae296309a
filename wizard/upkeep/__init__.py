"""What is done to sessions: rehearsal, purge, and what a session holds."""
