"""Every object of a database in normal form, and the account of two databases' objects."""
