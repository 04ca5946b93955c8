"""Run the service for development, with reload: ``python run_dev.py``."""

import sys

from chat_app.development import run_with_reload

if __name__ == "__main__":
    sys.exit(run_with_reload())
