"""The service below an application that runs no lifespan of it."""

from fastapi import FastAPI

from chat_app.main import app as chat_app

app = FastAPI()


@app.get("/health")
async def health() -> str:
    return "parent"


app.mount("/chat", chat_app)
