// Rate limiters and locks: rate-limiter-flexible, redlock. limiters.mjs checks.

import assert from "node:assert/strict";
import Redis from "ioredis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import Redlock from "redlock";
import { port } from "./job.mjs";

const client = new Redis({ host: "127.0.0.1", port });
const limiter = new RateLimiterRedis({ storeClient: client, points: 5, duration: 60, blockDuration: 30 });
for (let number = 4; number >= 0; number -= 1) {
  assert.equal((await limiter.consume("name")).remainingPoints, number);
}
await assert.rejects(limiter.consume("name"), (refusal) => refusal.msBeforeNext > 25_000);
assert.equal((await limiter.get("name")).consumedPoints, 6);
assert.ok(await limiter.delete("name"));
await limiter.consume("name");

const redlock = new Redlock([client], { retryCount: 200, retryDelay: 5 });
let inside = 0;
const work = async () => {
  const lock = await redlock.lock("lock", 10_000);
  inside += 1;
  assert.equal(inside, 1);
  await new Promise((resolve) => setTimeout(resolve, 2));
  const longer = await lock.extend(10_000);
  inside -= 1;
  await longer.unlock();
};
await Promise.all(Array.from({ length: 20 }, work));
assert.equal(await client.exists("lock"), 0);
console.log("fine");
process.exit(0);
