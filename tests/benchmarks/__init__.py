"""Speed, side by side in one run: the notes' way, ours, and the statements written by hand."""
