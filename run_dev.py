"""Run the service for development, with reload: ``python run_dev.py``."""

import sys

from chat_app.serve.command import serve

if __name__ == "__main__":
    sys.exit(serve(reload=True))
