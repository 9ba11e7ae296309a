"""Plan, consent, plan again, apply, outcome; and who decides."""
