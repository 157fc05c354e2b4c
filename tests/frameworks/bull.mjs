// Bull: bull.mjs produce KIND FIRST LAST | results FIRST LAST | work.

import Bull from "bull";
import { port, produce, work } from "./job.mjs";

const queue = new Bull("jobs", {
  redis: { host: "127.0.0.1", port, maxRetriesPerRequest: null, enableReadyCheck: false },
  settings: { lockDuration: 2000, stalledInterval: 1000, maxStalledCount: 3 },
});
queue.on("error", () => {});
const [command, ...words] = process.argv.slice(2);
const enqueue = (kind, number, rest) =>
  queue.add({ kind, number }, { attempts: 3, delay: kind === "later" ? 2000 : 0, ...rest });

if (command === "work") {
  queue.process(4, ({ data }) => work(data));
} else if (command === "produce") {
  await produce((kind, number) => enqueue(kind, number, { removeOnComplete: true }), words[0], Number(words[1]), Number(words[2]));
  process.exit(0);
} else {
  const numbers = Array.from({ length: words[1] - words[0] }, (_, at) => Number(words[0]) + at);
  const jobs = await Promise.all(numbers.map((number) => enqueue("plain", number)));
  for (const job of jobs) console.log("result", await job.finished());
  process.exit(0);
}
