// What each job does, in every framework: it writes to a ledger that no broker can lose.

import { appendFileSync, closeSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const port = Number(process.env.BROKER_PORT);
const ledger = process.env.LEDGER;

/** Adds a line in one write, so that processes do not write into each other's lines. */
const write = (word, number) => appendFileSync(ledger, `${word} ${number} ${(Date.now() / 1000).toFixed(3)}\n`);

function isFirstTime(number) {
  try {
    closeSync(openSync(join(dirname(ledger), `tried-${number}`), "wx"));
    return true;
  } catch {
    return false;
  }
}

export async function work({ kind, number }) {
  if (kind === "flaky" && isFirstTime(number)) throw new Error(`job ${number} fails once`);
  if (kind === "slow" && isFirstTime(number)) {
    write("begun", number);
    await sleep(600_000);
  }
  write("done", number);
  return 2 * number;
}

/** Enqueues jobs, each until the broker has acknowledged it, and says which it has. */
export async function produce(enqueue, kind, first, last) {
  for (let number = first; number < last; number += 1) {
    for (;;) {
      try {
        await enqueue(kind, number);
        break;
      } catch (error) {
        console.log(`again ${number} ${error.message}`);
        await sleep(50);
      }
    }
    console.log(`ok ${number}`);
  }
}
