// Two clients of meetings, one below the mount and one at the origin.

import { Client, ask, settings } from "./client.mjs";

const { ana, beto } = settings.tokens;
const { meeting } = await ask("POST", "/api/meetings", ana, undefined, 201);
const refused = await Client.refused("/compat/meetings", "abc");

const hers = await Client.connect("/compat/meetings", ana);
hers.emit("join-meeting", { meetingId: meeting.id, userId: "ana", name: "Ana" });
const joined = [await hers.expect("user-joined"), await hers.expect("participants-list")];
await hers.expect("joined");

const his = await Client.connect("", beto);
const bothOk = await his.ask("join-meeting", { meetingId: meeting.id, userId: "beto", name: "Beto" });
for (const client of [hers, his]) await client.expect("user-joined");
const list = await his.expect("participants-list");
await his.expect("joined");

hers.emit("send-message", { meetingId: meeting.id, message: "año 😀", author: "Ana" });
const { timestamp, ...message } = await his.expect("receive-message");
his.emit("send-message", { meetingId: meeting.id });
const error = await his.expect("error");

await ask("PUT", `/compat/meetings/api/meetings/${meeting.id}/end`, ana);
hers.emit("end-meeting", meeting.id);
const ended = [await hers.expect("meeting-ended"), await his.expect("meeting-ended")];
his.end();
const left = await hers.expect("user-left");
hers.end();

console.log(JSON.stringify({ refused, joined, bothOk, list, message, error, ended, left }));
