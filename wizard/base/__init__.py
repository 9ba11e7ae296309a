"""What every room uses: errors, events, redaction, files, processes."""
