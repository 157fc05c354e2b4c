// Eight workers in one process, as people write them in Node.js: on one connection, since a client is
// one. `shared_workers.mjs PORT CLIENT QUEUE [value]`, with `ioredis` or `node-redis`.
//
// With `value` they acknowledge by value, on a second connection: on the first an acknowledgement
// would wait behind the pops. What the process prints is a line each: `ready` when all have sent their
// first pop, `took MESSAGE` when a worker has it, `done MESSAGE` behind the work, before it
// acknowledges. It works until it is killed.

import { writeSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";
import { createClient } from "redis";

const [port, kind, queue, acknowledge] = process.argv.slice(2);
const workers = 8;

const kinds = {
  async ioredis() {
    const [client, other] = [new Redis({ port }), new Redis({ port })];
    // Before it is connected it keeps commands back.
    await client.ping();
    return {
      pop: async () => (await client.blpop(queue, 0))[1],
      say: (...words) => other.call(...words),
    };
  },
  async "node-redis"() {
    const connect = () => createClient({ socket: { port } }).connect();
    const [client, other] = [await connect(), await connect()];
    return {
      pop: async () => (await client.blPop(queue, 0)).element,
      say: (...words) => other.sendCommand(words),
    };
  },
};

const { pop, say } = await kinds[kind]();

async function work() {
  for (;;) {
    const message = await pop();
    writeSync(1, `took ${message}\n`);
    await setTimeout(1 + Math.random() * 9);
    writeSync(1, `done ${message}\n`);
    if (acknowledge === "value") await say("QUEUE", "ACK", queue, "VALUE", message);
  }
}

const working = Array.from({ length: workers }, work);
await setImmediate();
writeSync(1, "ready\n");
await Promise.all(working);
