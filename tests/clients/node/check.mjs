// What the check programs share: where the server is, how to wait, how to report.

export const port = Number(process.env.SERVER_PORT);
const checkTimeoutMs = 30_000;

/** Asks `condition` until it gives something true. */
export async function waitUntil(what, condition, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether the text of CLIENT LIST shows a client that waits in a blocking command. */
export function showsBlocked(clientList) {
  return /\bflags=\w*b/.test(clientList);
}

/** Runs functions as checks named after them, reports each, and ends the program. */
export async function run(subject, checks, beforeEach) {
  let failed = false;
  for (const check of checks) {
    const words = check.name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    try {
      await Promise.race([beforeEach().then(check), expiry()]);
      console.log(`ok ${subject}: ${words}`);
    } catch (error) {
      failed = true;
      console.log(`FAILED ${subject}: ${words}`);
      console.log(String(error.stack).replace(/^/gm, "    "));
    }
  }
  process.exit(failed ? 1 : 0);
}

function expiry() {
  return new Promise((_, reject) => {
    const error = new Error(`no end within ${checkTimeoutMs} ms`);
    setTimeout(() => reject(error), checkTimeoutMs).unref();
  });
}
