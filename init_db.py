"""Create the missing tables of the configured database: ``python init_db.py``.

Touches nothing that exists. Exits with status 1 and a hint if the database cannot be used.
"""

import sys

from chat_app.database_setup import create_tables

if __name__ == "__main__":
    sys.exit(create_tables())
