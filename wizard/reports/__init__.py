"""What a run tells people and programs: lines, summary, report."""
