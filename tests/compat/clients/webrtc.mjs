// Two clients of webrtc, one below the mount and one at the origin: a room, a call and its signals.

import { Client, ask, settings } from "./client.mjs";

const { ana, beto } = settings.tokens;
const mount = "/compat/webrtc";
const refused = await Client.refused(mount, "abc");
const { id: room } = await ask("POST", `${mount}/api/rooms`, ana, { name: settings.room }, 201);

const hers = await Client.connect(`${mount}/`, ana);
const his = await Client.connect("", beto);
const joined = await hers.ask("join-room", { roomId: room });
await hers.expect("room-participants");
his.emit("join-room", room);
const arrival = await hers.expect("user-joined");
const counts = [(await hers.expect("room-participants")).length, (await his.expect("room-participants")).length];

const sent = await hers.ask("send-message", { roomId: room, content: "año 😀", tempId: { a: [1] } });
const heard = [await hers.expect("new-message"), await his.expect("new-message")];

const started = await hers.ask("initiate-call", { to: arrival.userId, callType: "audio" });
const incoming = await his.expect("incoming-call");
his.emit("accept-call", { callId: incoming.callId });
await hers.expect("call-accepted");
hers.emit("webrtc-offer", { to: arrival.userId, offer: { sdp: "v=0" }, blob: Buffer.from([1, 2]) });
const offer = await his.expect("webrtc-offer");
his.emit("webrtc-answer", { to: offer.from, answer: { sdp: "v=1" } });
const answer = await hers.expect("webrtc-answer");
his.emit("webrtc-ice-candidate", { to: offer.fromSocketId, candidate: null });
const candidate = await hers.expect("webrtc-ice-candidate");

// A client that vanishes ends its call; the room hears that it has left.
his.end();
const gone = {};
for (const event of ["user-left", "room-participants", "call-ended"]) gone[event] = await hers.expect(event);
const missing = await hers.ask("webrtc-offer", { to: arrival.userId });
await hers.expect("error");
hers.end();

const seen = {
  refused,
  joined: joined.ok && joined.success,
  counts,
  content: sent.message.content,
  same: heard.every((message) => JSON.stringify(message) === JSON.stringify(sent.message)),
  tempId: heard[1].tempId,
  ringing: [started.callId === incoming.callId, incoming.callType, incoming.callerSocketId === offer.fromSocketId],
  signals: [offer.offer, [...offer.blob], answer.answer, candidate.candidate],
  ended: gone["call-ended"].reason,
  left: gone["user-left"].userId === arrival.userId,
  missing: missing.error,
};
console.log(JSON.stringify(seen));
