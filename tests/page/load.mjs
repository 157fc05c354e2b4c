// Load for the page: queues like those of a shop, with policies, workers that are slow, fail or die, and
// producers in bursts. Everything that is random comes from one seed, and the load ends by itself.

import { Client } from "./resp.mjs";

const POLICIES = [
  "mail mail:* delivery at-least-once acknowledge explicit ack-timeout-ms 30000 delivery-limit 5 retry-delay-ms 2000 dead-letter dead:{queue}",
  "orders orders max-length 50000 overflow block delivery at-least-once acknowledge explicit dead-letter dead:{queue}",
  "images images:* max-length 2000 overflow drop-head message-ttl-ms 600000",
  "webhooks webhooks max-in-flight 20 rate 200 delivery at-least-once acknowledge explicit delivery-limit 3 retry-delay-ms 500 dead-letter dead:{queue}",
  "dead dead:* max-length 10000 overflow drop-head priority 5",
];

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const message = (random) =>
  JSON.stringify({
    id: Math.floor(random() * 1e9),
    to: ["ann", "bob", "eve"][Math.floor(random() * 3)],
    template: "order-confirmation",
    items: Array.from({ length: 1 + Math.floor(random() * 3) }, () => ({
      sku: `T-${Math.floor(random() * 900) + 100}`,
      count: 1 + Math.floor(random() * 4),
    })),
  });

export async function setPolicies(client) {
  for (const policy of POLICIES) await client.call("QUEUE", "POLICY", "SET", ...policy.split(" "));
}

/** Works until `until()` says so. Returns when everything is closed. */
export async function load(port, until, seed = 7) {
  const random = randomFrom(seed);
  const control = await Client.connect(port);
  await setPolicies(control);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const clients = [control];
  const open = async () => {
    const client = await Client.connect(port);
    clients.push(client);
    return client;
  };

  /** Pushes about `perSecond` messages in waves. */
  const produce = async (queue, perSecond) => {
    const client = await open();
    await client.call("CLIENT", "SETNAME", `producer-${queue.replace(/:/g, "-")}`);
    for (let step = 0; !until(); step += 1) {
      const wave = 1 + 0.7 * Math.sin(step / 40 + queue.length);
      const count = Math.floor((perSecond / 10) * wave + random());
      if (count > 0)
        await client.call("RPUSH", queue, ...Array.from({ length: count }, () => message(random))).catch(() => {});
      await pause(100);
    }
  };

  /** Takes up to `count` messages each time, and fails with some. */
  const consume = async (queue, count, everyMs, failing = 0) => {
    const client = await open();
    await client.call("CLIENT", "SETNAME", `worker-${queue.replace(/:/g, "-")}`);
    while (!until()) {
      const reply = await client.call("QUEUE", "POP", "1", queue, "COUNT", count, "BLOCK", "200").catch(() => null);
      await pause(everyMs);
      for (const [receipt] of reply?.[1] ?? []) {
        const words = random() < failing ? ["NACK", queue, "IDS", "1", receipt] : ["ACK", queue, "IDS", "1", receipt];
        await client.call("QUEUE", ...words).catch(() => {});
      }
    }
  };

  const pop = async (queue, count, everyMs) => {
    const client = await open();
    while (!until()) {
      await client.call("LPOP", queue, count);
      await pause(everyMs);
    }
  };

  const subscribe = async (...channels) => {
    const client = await open();
    client.call("SUBSCRIBE", ...channels).catch(() => {});
  };
  for (let i = 0; i < 5; i += 1) await subscribe("news", ...(i < 2 ? ["prices:eur"] : []), `user:${i}`);

  await control.call("RPUSH", "audit log", Buffer.from([0, 255, 128, 10, 13, 65, 66, 67]), "plain text", "");
  await control.call("QUEUE", "PAUSE", "audit log", "READ");
  await control.call(
    "QUEUE",
    "PUSH",
    "mail:digest",
    "DELAY",
    "7200000",
    "MESSAGES",
    "3",
    "monday",
    "tuesday",
    "wednesday",
  );
  await Promise.all([
    produce("mail:confirm", 120),
    consume("mail:confirm", 10, 75, 0.03),
    consume("mail:confirm", 5, 300),
    produce("mail:invoice", 20),
    consume("mail:invoice", 2, 110, 0.01),
    produce("orders", 60),
    consume("orders", 6, 95),
    produce("images:thumb", 300),
    pop("images:thumb", 60, 230),
    produce("images:large", 15),
    pop("images:large", 4, 260),
    produce("webhooks", 40),
    consume("webhooks", 5, 120, 0.3),
    consume("webhooks", 5, 120, 0.3),
    produce("search:index", 90),
    pop("search:index", 9, 99),
    produce("metrics", 200),
    pop("metrics", 40, 200),
    ...["eu", "us", "ap"].flatMap((region) => [produce(`export:${region}`, 8), pop(`export:${region}`, 2, 270)]),
  ]);
  for (const client of clients) client.close();
}

// As a program: PORT SECONDS.
if (process.argv[1] === new URL(import.meta.url).pathname) {
  const end = Date.now() + Number(process.argv[3] ?? 60) * 1000;
  await load(Number(process.argv[2]), () => Date.now() > end);
}
