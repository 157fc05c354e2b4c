// bee-queue: jobs, results, retries and delayed jobs. bee.mjs checks.

import assert from "node:assert/strict";
import Queue from "bee-queue";
import { port } from "./job.mjs";

const redis = { host: "127.0.0.1", port };
const worker = new Queue("bees", { redis, activateDelayedJobs: true });
const producer = new Queue("bees", { redis, isWorker: false, storeJobs: false, activateDelayedJobs: false });
const results = new Map();

worker.process(8, async (job) => {
  if (job.data.kind === "flaky" && job.options.retries > 0) throw new Error("on purpose");
  return 2 * job.data.number;
});

producer.on("job succeeded", (id, result) => results.set(id, result));
await producer.ready();
const expected = new Map();
for (let number = 0; number < 200; number += 1) {
  const job = await producer.createJob({ number }).save();
  expected.set(job.id, 2 * number);
}
const flaky = await producer.createJob({ kind: "flaky", number: 7 }).retries(3).backoff("fixed", 20).save();
expected.set(flaky.id, 14);
const later = await producer.createJob({ number: 8 }).delayUntil(Date.now() + 300).save();
expected.set(later.id, 16);
const many = [producer.createJob({ number: 9 }), producer.createJob({ number: 10 })];
const errors = await producer.saveAll(many);
assert.equal(errors.size, 0);
many.forEach((job) => expected.set(job.id, 2 * job.data.number));
await new Promise((resolve) => {
  const look = setInterval(() => {
    if (results.size === expected.size) resolve(clearInterval(look));
  }, 20);
});
assert.deepEqual([...results].sort(), [...expected].sort());
assert.equal((await worker.checkHealth()).succeeded, expected.size);
console.log("fine");
process.exit(0);
