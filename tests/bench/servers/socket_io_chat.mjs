// A room on the reference server of Socket.IO, as its documentation shows it. Usage: node socket_io_chat.mjs PACKAGES

import { createServer } from "node:http";
import { createRequire } from "node:module";

const { Server } = createRequire(`${process.argv[2]}/`)("socket.io");

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("tell", (room, message) => io.to(room).emit("told", room, message));
});

http.listen(0, "127.0.0.1", () => console.log(`running on http://127.0.0.1:${http.address().port}`));
