// socket.io: two servers joined by the adapters for streams and for publish/subscribe. socketio.mjs checks.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createAdapter as createPubSubAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io } from "socket.io-client";
import { port } from "./job.mjs";

const url = `redis://127.0.0.1:${port}`;
const connect = () => createClient({ url }).connect();
const heard = (socket, word) => new Promise((resolve) => socket.once(word, resolve));

async function serve(adapter) {
  const http = createServer();
  const server = new Server(http, { adapter, connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
  server.on("connection", (socket) => socket.on("join", (room, done) => done(socket.join(room))));
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { server, address: `http://127.0.0.1:${http.address().port}` };
}

async function joins(adapters, isRecovered) {
  const servers = [];
  for (const adapter of adapters) servers.push(await serve(adapter));
  const clients = servers.map(({ address }) => io(address, { transports: ["websocket"], reconnectionDelay: 50 }));
  await Promise.all(clients.map((client) => heard(client, "connect")));
  await clients[1].emitWithAck("join", "room");
  // A server hears only what is said after it has begun to listen.
  for (const { server } of servers) {
    while ((await server.of("/").adapter.serverCount()) < 2) await sleep(20);
  }

  // A server's messages reach the clients of the other.
  const all = clients.map((client) => heard(client, "news"));
  servers[0].server.emit("news", 42, Buffer.from([0, 255]));
  assert.deepEqual(await Promise.all(all), [42, 42]);
  const inRoom = heard(clients[1], "room news");
  servers[0].server.to("room").emit("room news", "x");
  assert.equal(await inRoom, "x");
  assert.equal((await servers[0].server.fetchSockets()).length, 2);
  const answers = servers[0].server.serverSideEmitWithAck("question");
  servers[1].server.on("question", (answer) => answer("yes"));
  assert.deepEqual(await answers, ["yes"]);

  if (isRecovered) {
    // What was said while a client was away is in the stream.
    const missed = heard(clients[1], "missed");
    clients[1].io.engine.close();
    servers[0].server.emit("missed", "while away");
    await heard(clients[1], "connect");
    assert.ok(clients[1].recovered);
    assert.equal(await missed, "while away");
  }
}

await joins([createAdapter(await connect()), createAdapter(await connect())], true);
const adapter = async () => createPubSubAdapter(await connect(), await connect());
await joins([await adapter(), await adapter()], false);
console.log("fine");
process.exit(0);
