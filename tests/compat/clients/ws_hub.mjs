// Two sockets of ws-hub through the package "ws", both in one dialect of the protocol.

import { once } from "node:events";
import { Heard, ask, assert, require, settings, within } from "./client.mjs";

const WebSocket = require("ws");

const { ana, beto } = settings.tokens;
const mount = "/compat/ws-hub";
const [authenticate, authenticated] = settings.dialect;
const isSeed = authenticate === "AUTH";

class Client {
  static async open(path) {
    const socket = new WebSocket(settings.url.replace("http", "ws") + path);
    const client = new Client(socket);
    await within("open", once(socket, "open"));
    return client;
  }

  #heard = new Heard();

  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => this.#heard.note([JSON.parse(data), isBinary]));
  }

  say(type, payload) {
    this.socket.send(JSON.stringify({ type, payload }));
  }

  async expect(kind) {
    const [{ type, payload }, isBinary] = await this.#heard.next(kind);
    assert.equal(type, kind, JSON.stringify(payload));
    assert.equal(isBinary, false);
    return payload;
  }

  async end() {
    assert.ok(this.#heard.isEmpty, "something was heard that was not expected");
    this.socket.close(1000);
    const [code] = await within("close", once(this.socket, "close"));
    return code;
  }
}

const stranger = await Client.open("/ws");
stranger.say(authenticate, { token: "abc" });
const refusal = await stranger.expect(isSeed ? "AUTH_ERROR" : "ERROR");
const [refusedWith] = await within("close", once(stranger.socket, "close"));

const hers = await Client.open(mount);
// The watcher of the test is online already.
hers.say(authenticate, { token: ana });
const { userId: anaId } = await hers.expect(authenticated);
await hers.expect("ONLINE_USERS");
const his = await Client.open("/");
his.say(authenticate, { token: beto });
const { userId: betoId } = await his.expect(authenticated);
const online = (await his.expect("ONLINE_USERS")).userIds;
assert.deepEqual((await hers.expect("USER_ONLINE")).userId, betoId);

const body = { type: "private", participantIds: [betoId] };
const room = await ask("POST", `${mount}/api/rooms`, ana, body, 201);
assert.deepEqual(await his.expect("ROOM_CREATED"), room);
const here = { roomId: room.id };
for (const client of [hers, his]) {
  if (!isSeed) {
    client.say("JOIN_ROOM", here);
    assert.deepEqual(await client.expect("ROOM_JOINED"), here);
  }
}
hers.say(isSeed ? "TYPING" : "START_TYPING", here);
const typing = await his.expect("TYPING");
hers.say("SEND_MESSAGE", { ...here, content: " año 😀 ", tempId: "t-1" });
const message = await hers.expect("MESSAGE");
assert.deepEqual(await his.expect("MESSAGE"), message);
hers.say("STOP_TYPING", here);
await his.expect("STOP_TYPING");
his.say("NOISE", {});
const error = await his.expect("ERROR");
// A ping of the client is answered by the protocol.
his.socket.ping("?");
const [pong] = await within("pong", once(his.socket, "pong"));

const closedWith = await hers.end();
assert.deepEqual(await his.expect("USER_OFFLINE"), { userId: anaId });
const { messages } = await ask("GET", `${mount}/api/rooms/${room.id}/messages`, beto);
await his.end();

const seen = {
  refusal: refusal.message,
  refusedWith,
  together: online.includes(anaId) && online.includes(betoId),
  typing: typing.userId === anaId,
  said: [message.content, message.tempId],
  history: messages.map(({ content }) => content),
  error: error.message,
  pong: pong.toString(),
  closedWith,
  people: [anaId, betoId],
};
console.log(JSON.stringify(seen));
