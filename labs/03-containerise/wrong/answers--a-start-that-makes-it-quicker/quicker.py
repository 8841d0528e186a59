"""Where uvicorn starts: the given server, with another time for a look-up."""

from service import app as server

server.LOOK_UP = 0.05
app = server.app
