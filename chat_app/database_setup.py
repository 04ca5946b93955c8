"""Prepares a database without starting the service, with output for the person at the terminal."""

import sys

from chat_app._native import ChatError, migrate_database
from chat_app.core.config import ConfigurationError, Settings

_HINTS = {
    "database_unavailable": "Is the server running, and are host and port in DATABASE_URL right?",
    "database_login_failed": "Are user, password and database name in DATABASE_URL right?",
}


def create_tables() -> int:
    """Create what is missing and print the progress.

    Returns:
        The exit status: 0, or 1 if the database cannot be used.
    """
    try:
        settings = Settings.load()
        print("Creating the missing tables ...")
        created = migrate_database(settings.database_url.get_secret_value())
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    except (ChatError, ValueError, OSError) as error:
        print(f"The database cannot be used: {error}", file=sys.stderr)
        hint = _HINTS.get(error.code) if isinstance(error, ChatError) else None
        if hint is not None:
            print(f"Hint: {hint}", file=sys.stderr)
        return 1
    for table in created:
        print(f"  created {table}")
    print("The database is ready." if created else "Nothing was missing. The database is ready.")
    return 0
