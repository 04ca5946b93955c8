"""What the suite needs around the service: processes, databases, clients and sockets.

Nothing in here imports the service: it is reached through its ports, its commands and its database only.
"""
