"""Everything that refers to a page: found, rewritten, verified, accounted for."""
