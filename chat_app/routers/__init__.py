"""The REST routes and the fall-back WebSocket route, one module per area of the API."""
