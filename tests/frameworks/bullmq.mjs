// BullMQ: bullmq.mjs produce KIND FIRST LAST | results FIRST LAST | work.

import { Queue, QueueEvents, Worker } from "bullmq";
import { port, produce, work } from "./job.mjs";

const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
const [command, ...words] = process.argv.slice(2);
const ignore = () => {};

if (command === "work") {
  const worker = new Worker("jobs", ({ data }) => work(data), {
    connection,
    concurrency: 4,
    lockDuration: 2000,
    stalledInterval: 1000,
    maxStalledCount: 3,
  });
  worker.on("error", ignore);
} else {
  const queue = new Queue("jobs", { connection });
  queue.on("error", ignore);
  const enqueue = (kind, number) =>
    queue.add(kind, { kind, number }, { attempts: 3, delay: kind === "later" ? 2000 : 0, removeOnComplete: true });
  if (command === "produce") {
    await produce(enqueue, words[0], Number(words[1]), Number(words[2]));
  } else {
    const events = new QueueEvents("jobs", { connection });
    await events.waitUntilReady();
    const numbers = Array.from({ length: words[1] - words[0] }, (_, at) => Number(words[0]) + at);
    const jobs = await Promise.all(numbers.map((number) => queue.add("plain", { kind: "plain", number })));
    for (const job of jobs) console.log("result", await job.waitUntilFinished(events, 30_000));
  }
  process.exit(0);
}
