// ioredis, with the handshake that it makes by itself, with RESP2 asked for, and with RESP3 and its
// own types of replies.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Redis } from "ioredis";
import { port, run, showsBlocked, waitUntil } from "./check.mjs";

const protocol = process.argv[2];
const options = {
  default: {},
  2: { protocol: 2 },
  3: { protocol: 3, replyMapping: "resp3" },
}[protocol];
const connect = (more = {}) => new Redis({ port, ...options, ...more });

const client = connect();
const other = connect();
const binary = Buffer.from([...Array(256).keys()]);

async function untilBlocked() {
  const blocked = async () => showsBlocked(await other.client("LIST"));
  await waitUntil("a blocked client", blocked);
}

async function pushAndPop() {
  assert.equal(await client.rpush("q", "a", "b", "c"), 3);
  assert.equal(await client.lpush("q", "z"), 4);
  assert.deepEqual(await client.lrange("q", 0, -1), ["z", "a", "b", "c"]);
  assert.equal(await client.lpop("q"), "z");
  assert.deepEqual(await client.rpop("q", 2), ["c", "b"]);
  assert.equal(await client.lmove("q", "r", "LEFT", "RIGHT"), "a");
  assert.equal(await client.lpos("r", "a"), 0);
  assert.deepEqual(await client.lmpop(2, "q", "r", "LEFT"), ["r", ["a"]]);
  assert.equal(await client.lpop("q"), null);
}

async function blockingPop() {
  assert.equal(await client.blpop("q", 0.05), null);
  const served = client.blpop("q", "r", 0);
  await untilBlocked();
  assert.equal(await other.rpush("r", "x"), 1);
  assert.deepEqual(await served, ["r", "x"]);

  const moved = client.blmove("q", "r", "LEFT", "RIGHT", 0);
  await untilBlocked();
  await other.rpush("q", "y");
  assert.equal(await moved, "y");
}

async function pipeline() {
  const batch = client.pipeline();
  for (let number = 1; number <= 1000; number++) batch.rpush("q", number);
  const replies = await batch.call("NOSUCHCOMMAND").exec();
  assert.match(replies.pop()[0].message, /unknown command/);
  assert.deepEqual(replies, Array.from({ length: 1000 }, (_, index) => [null, index + 1]));
}

async function transaction() {
  const done = await client.multi().rpush("q", "a").rpush("q", "b").lpop("q").exec();
  assert.deepEqual(done, [[null, 1], [null, 2], [null, "a"]]);
}

async function watchedTransactionWithConflict() {
  await client.watch("q");
  await other.rpush("q", "first");
  assert.equal(await client.multi().rpush("q", "second").exec(), null);
  assert.deepEqual(await client.lrange("q", 0, -1), ["first"]);
}

async function publishAndSubscribe() {
  const subscriber = connect();
  assert.equal(await subscriber.psubscribe("n?ws*"), 1);
  assert.equal(await subscriber.subscribe("news"), 2);
  const both = Promise.all([once(subscriber, "message"), once(subscriber, "pmessage")]);
  assert.equal(await other.publish("news", "hello"), 2);
  assert.deepEqual(await both, [["news", "hello"], ["n?ws*", "news", "hello"]]);
  assert.equal(await subscriber.unsubscribe("news"), 1);
  assert.equal(await other.publish("news.sport", "goal"), 1);
  subscriber.disconnect();
}

async function binaryAndLargePayloads() {
  const large = Buffer.alloc(10_000_000, binary);
  assert.equal(await client.rpush(binary, binary, large), 2);
  assert.deepEqual(await client.lpopBuffer(binary), binary);
  assert.ok(large.equals(await client.lpopBuffer(binary)));
}

async function scan() {
  const batch = client.pipeline();
  for (let number = 0; number < 500; number++) batch.rpush(`scan:${number}`, "x");
  await batch.exec();
  const found = new Set();
  for await (const keys of client.scanStream({ match: "scan:*", count: 50 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.equal(found.size, 500);
}

async function expiry() {
  await client.rpush("q", "a");
  assert.equal(await client.expire("q", 100), 1);
  assert.ok((await client.ttl("q")) > 90);
  assert.equal(await client.pexpire("q", 20), 1);
  await waitUntil("the key has expired", async () => (await client.exists("q")) === 0);
}

async function clientInformation() {
  const named = connect({ connectionName: "worker" });
  assert.equal(await named.client("GETNAME"), "worker");
  const entry = (await other.client("LIST")).split("\n").find((line) => / name=worker /.test(line));
  assert.match(entry, protocol === "2" ? / resp=2\b/ : / resp=3\b/);
  assert.match(await client.info(), /^redis_version:\d/m);
  const setting = await client.config("GET", "maxclients");
  assert.ok(Number(protocol === "3" ? setting.maxclients : setting[1]) > 0);
  assert.ok((await client.command("COUNT")) > 0);
  named.disconnect();
}

async function reconnectAfterKill() {
  const victim = connect();
  const identity = await victim.client("ID");
  const reconnected = once(victim, "ready");
  assert.equal(await other.client("KILL", "ID", identity), 1);
  await reconnected;
  assert.ok((await victim.client("ID")) > identity);
  victim.disconnect();
}

const checks = [
  pushAndPop,
  blockingPop,
  pipeline,
  transaction,
  watchedTransactionWithConflict,
  publishAndSubscribe,
  binaryAndLargePayloads,
  scan,
  expiry,
  clientInformation,
  reconnectAfterKill,
];

await run(`ioredis, protocol ${protocol}`, checks, () => other.flushall());
