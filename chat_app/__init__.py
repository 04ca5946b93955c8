"""IzpoChat: a FastAPI layer over a chat service written in Rust.

Here requests are validated, the core (``chat_app._native``) is called, and its answers and errors become HTTP.
Everything else, the database, the sockets and the rules of the chat, lives in the core.
"""
