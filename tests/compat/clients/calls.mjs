// Two clients of calls, one below the mount and one at the origin: requests, and what is announced of them.

import { Client, ask, assert, require, settings } from "./client.mjs";

const { TokenVerifier } = require("livekit-server-sdk");
const { ana, beto } = settings.tokens;
const refused = await Client.refused("/compat/calls", undefined);
const both = [await Client.connect("/compat/calls/", ana), await Client.connect("", beto)];

async function announced(event) {
  const [first, second] = [await both[0].expect(event), await both[1].expect(event)];
  assert.deepEqual(first, second);
  return first.data;
}

const caller = await ask("POST", "/users", ana, { name: "Ana" }, 201);
const registered = [await announced("user.registered")];
const callee = await ask("POST", "/compat/calls/users", beto, { name: "Beto" }, 201);
registered.push(await announced("user.registered"));
assert.deepEqual(registered, [caller, callee].map(({ id, name }) => ({ id, name })));

const call = await ask("POST", "/calls", ana, { fromUserId: caller.id, toUserId: callee.id }, 201);
const { token, url, ...incoming } = call;
assert.deepEqual(await announced("call.started"), incoming);
const wanted = { roomName: call.roomName, identity: callee.id, name: "Beto" };
const answered = await ask("POST", "/livekit/token", beto, wanted);
await ask("POST", `/calls/${call.id}/end`, beto);
assert.deepEqual(await announced("call.ended"), { callId: call.id });

const room = await ask("POST", "/rooms", ana, { name: "Sala" }, 201);
assert.deepEqual(await announced("room.created"), room);
const entered = await ask("POST", `/compat/calls/rooms/${room.id}/join`, ana, { userId: caller.id });
assert.deepEqual(await announced("room.joined"), { roomId: room.id, userId: caller.id });
for (const client of both) client.end();

const verifier = new TokenVerifier(settings.livekit.key, settings.livekit.secret);
for (const [jwt, roomName, { id, name }] of [
  [token, call.roomName, caller],
  [answered.token, call.roomName, callee],
  [entered.token, room.roomName, caller],
]) {
  const claims = await verifier.verify(jwt);
  assert.deepEqual([claims.sub, claims.name], [id, name]);
  assert.deepEqual(claims.video, { room: roomName, roomJoin: true, canPublish: true, canSubscribe: true });
}
await assert.rejects(new TokenVerifier(settings.livekit.key, "another").verify(token));
console.log(JSON.stringify({ refused, url, names: registered.map(({ name }) => name) }));
