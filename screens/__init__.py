"""The wizard on a terminal. Screens render what the engine reports and return answers.

Nothing in this package touches a database, a process or a socket.
"""
