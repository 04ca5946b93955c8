"""Settings and the signing key: what is read before the service starts."""
