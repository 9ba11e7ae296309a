"""What `remodel demo` plays on: a sample site, its own PostgreSQL, a loopback SSH "production"."""
