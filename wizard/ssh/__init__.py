"""Hosts over SSH: connections, logins, host keys, forwarded sockets."""
