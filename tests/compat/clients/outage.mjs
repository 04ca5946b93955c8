// Clients that begin while the database is away, and are connected once it is back.

import { writeFileSync } from "node:fs";

import { require, settings } from "./client.mjs";

const { io } = require("socket.io-client");

const refused = [];
const sockets = ["/compat/meetings", "/compat/calls", "/"].map((namespace) => {
  const socket = io(settings.url + namespace, {
    transports: settings.transports,
    auth: { token: settings.token },
    forceNew: true,
    // The certificate of the tests is nobody's.
    rejectUnauthorized: false,
    reconnectionDelay: 200,
    reconnectionDelayMax: 500,
  });
  // Not those behind which the client tries again by itself.
  socket.on("connect_error", (error) => {
    if (!socket.active) refused.push(error.message);
  });
  return socket;
});
const tries = sockets.map((socket) => new Promise((resolve) => socket.io.once("reconnect_attempt", resolve)));
const connected = sockets.map((socket) => new Promise((resolve) => socket.once("connect", resolve)));
await Promise.all(tries);
writeFileSync(settings.signal, "all of them have tried in vain");
await Promise.all(connected);
for (const socket of sockets) socket.close();
console.log(JSON.stringify({ refused, connected: connected.length }));
