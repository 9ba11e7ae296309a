"""What is told on Harbour Street: `manage.py fill_harbour` fills an empty database with it."""
