"""``python -m chat_app.serve``."""

import sys

from chat_app.serve.command import serve

sys.exit(serve())
