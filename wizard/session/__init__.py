"""One run on disk: session, journal, answers, questions, plans, ledgers, lock."""
