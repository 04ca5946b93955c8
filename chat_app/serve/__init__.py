"""How the application is served: its start and end, the server in front of it, sockets and large request bodies."""
