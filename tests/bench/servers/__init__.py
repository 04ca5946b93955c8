"""The applications that the service is compared with: the usual way to build the same."""
