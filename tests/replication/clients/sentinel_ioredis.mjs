// ioredis through a failover: see ../clients.py. A client is one connection, so each loop has its own.

import { Redis } from "ioredis";

const sentinels = process.argv.slice(2).map((port) => ({ host: "127.0.0.1", port: Number(port) }));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function client() {
  const options = { sentinels, name: "queues", connectTimeout: 1000, sentinelRetryStrategy: () => 100 };
  const own = new Redis({ ...options, retryStrategy: () => 100, maxRetriesPerRequest: null });
  own.on("error", (error) => console.log("error", error.message));
  return own;
}

async function forever(step) {
  const own = client();
  for (;;) {
    try {
      await step(own);
    } catch (error) {
      console.log("error", error.message);
      await pause(50);
    }
  }
}

let next = 0;
forever(async (own) => {
  const message = next++;
  console.log("sent", message);
  await own.rpush("work", message);
  console.log("pushed", message);
  await pause(2);
});

function consume(queue, word) {
  forever(async (own) => {
    // Without an end: only the loss of the connection ends it, and then ioredis sends it again.
    console.log(word, (await own.blpop(queue, 0))[1]);
  });
}

consume("work", "popped");
consume("quiet", "woken");
process.stdin.on("end", () => process.exit(0)).resume();
