"""The compatible systems: their requests, Socket.IO and sockets, apart from the API and its rules for origins."""
