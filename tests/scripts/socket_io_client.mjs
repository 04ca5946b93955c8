// The official JavaScript client against the namespaces of the conformance suite.
// Usage: node socket_io_client.mjs PACKAGES URL TRANSPORTS
// Prints what it has seen as one JSON object.

import { createRequire } from "node:module";
import { once } from "node:events";

const [packages, url, transports] = process.argv.slice(2);
const { io } = createRequire(`${packages}/`)("socket.io-client");

const options = { transports: transports.split(","), rejectUnauthorized: false, reconnection: false, forceNew: true };

function heard(socket, event) {
  return new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
}

async function connected(namespace, auth) {
  const socket = io(url + namespace, { ...options, auth });
  const [answer] = await Promise.all([heard(socket, "auth"), once(socket, "connect")]);
  return [socket, answer[0]];
}

const [main, auth] = await connected("/", { token: "123" });
const [custom] = await connected("/custom/", {});
const engine = main.io.engine;
if (engine.transport.name === "polling" && options.transports.includes("websocket")) {
  await once(engine, "upgrade");
}

const back = heard(main, "message-back");
main.emit("message", 1, "2", { 3: [true] });
const binary = heard(custom, "message-back");
custom.emit("message", Buffer.from([1, 2, 3]), { in: Buffer.from([4]) });
const acknowledged = await main.timeout(5000).emitWithAck("message-with-ack", "año", null);
main.on("question", (question, answer) => answer(`${question}: because`));
const answered = heard(main, "answer");
main.emit("ask", "why");

main.emit("join", "room");
const [other] = await connected("/", {});
other.emit("join", "room");
await other.timeout(5000).emitWithAck("message-with-ack", "joined");
const said = heard(other, "said");
main.emit("say", "room", "hello");

const refused = io(`${url}/random`, options);
const [error] = await once(refused, "connect_error");
const left = heard(custom, "disconnect");
custom.emit("leave");

const seen = {
  auth,
  transport: engine.transport.name,
  back: await back,
  binary: (await binary).map((part) => (Buffer.isBuffer(part) ? [...part] : [...part.in])),
  acknowledged,
  answered: await answered,
  said: await said,
  refused: error.message,
  left: (await left)[0],
  distinct: new Set([main.id, other.id, engine.id]).size,
};
for (const socket of [main, custom, other, refused]) {
  socket.disconnect();
}
console.log(JSON.stringify(seen));
