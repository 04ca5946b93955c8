"""The service with the namespaces of the conformance suites, which have rooms, and the heartbeat of the reference."""

from chat_app.main import create_app

app = create_app(conformance=(25, 20))
