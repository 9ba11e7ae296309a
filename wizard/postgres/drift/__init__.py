"""What a database held when it was dumped, and what was written to it since."""
