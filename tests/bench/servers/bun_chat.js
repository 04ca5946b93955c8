// A chat on uWebSockets through Bun, as its documentation shows it: native topics, one publish per message.
//
// It authenticates nobody and stores nothing; its frames have the form and the length of the service's. Compression is
// off, which is Bun's default.

let lastId = 0;
const sender = '"sender":{"id":1,"username":"user00001","full_name":"Full Name 00001"}';

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const room = new URL(request.url).pathname.split("/").at(-1);
    if (server.upgrade(request, { data: { room } })) return undefined;
    return new Response("not a WebSocket", { status: 400 });
  },
  websocket: {
    open(socket) {
      socket.subscribe(socket.data.room);
    },
    message(socket, text) {
      const { room } = socket.data;
      const content = JSON.stringify(JSON.parse(text).content);
      const timestamp = new Date().toISOString().replace("Z", "000+00:00");
      lastId += 1;
      server.publish(
        room,
        `{"type":"message","id":${lastId},"content":${content},"room_id":${room},${sender},"file_id":null,` +
          `"timestamp":"${timestamp}"}`,
      );
    },
  },
});

console.log(`running on http://127.0.0.1:${server.port}`);
