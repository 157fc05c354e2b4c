// node-resque: jobs in the layout of Resque, delayed ones by its scheduler, failed ones. resque.mjs checks.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue, Scheduler, Worker } from "node-resque";
import { port } from "./job.mjs";

const connection = { pkg: "ioredis", host: "127.0.0.1", port, database: 0, namespace: "resque" };
const results = [];
const jobs = {
  double: { perform: async (number) => results.push(2 * number) },
  fails: {
    perform: async () => {
      throw new Error("on purpose");
    },
  },
};

const worker = new Worker({ connection, queues: ["jobs"], timeout: 20 }, jobs);
const scheduler = new Scheduler({ connection, timeout: 50 });
const queue = new Queue({ connection }, jobs);
for (const part of [worker, scheduler, queue]) {
  await part.connect();
  part.on("error", (error) => assert.fail(error));
}
worker.start();
scheduler.start();

const until = async (condition) => {
  while (!(await condition())) await sleep(20);
};
for (let number = 0; number < 100; number += 1) await queue.enqueue("jobs", "double", [number]);
await until(() => results.length === 100);
assert.deepEqual([...results].sort((a, b) => a - b), Array.from({ length: 100 }, (_, number) => 2 * number));

await queue.enqueueIn(1200, "jobs", "double", [1000]);
assert.equal((await queue.scheduledAt("jobs", "double", [1000])).length, 1);
assert.ok(!results.includes(2000));
await until(() => results.includes(2000));

await queue.enqueue("jobs", "fails", []);
await until(async () => (await queue.failedCount()) === 1);
const [failed] = await queue.failed(0, 1);
assert.equal(failed.error, "on purpose");
await queue.removeFailed(failed);
assert.equal(await queue.failedCount(), 0);
assert.equal(Number((await queue.stats()).processed), 101);
assert.equal(Object.keys(await queue.workers()).length, 1);
console.log("fine");
process.exit(0);
