// Eight concurrent pops with ioredis, acknowledged by receipt: `receipt_workers.mjs PORT QUEUE LEASE_MS`.
// Pops wait on one connection, one behind the other, so that acknowledgements need a second. What the process
// prints is the same as of tests/durability/receipt_workers.py.

import { writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";

const [port, queue, lease] = process.argv.slice(2);
const [popper, other] = [new Redis({ port }), new Redis({ port })];

async function work() {
  for (;;) {
    const popped = await popper.call("QUEUE", "POP", 1, queue, "BLOCK", 1000, "LEASE", lease);
    if (popped === null) continue;
    const [[receipt, message]] = popped[1];
    writeSync(1, `took ${message}\n`);
    await setTimeout(1 + Math.random() * 4);
    await other.rpush("done", message);
    await other.call("QUEUE", "ACK", queue, "IDS", 1, receipt);
    writeSync(1, `acknowledged ${message}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, work));
