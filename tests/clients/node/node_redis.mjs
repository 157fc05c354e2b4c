// node-redis, with the handshake that it makes by itself and with each protocol asked for.

import assert from "node:assert/strict";
import { createClient, RESP_TYPES, WatchError } from "redis";
import { port, run, showsBlocked, waitUntil } from "./check.mjs";

const protocol = process.argv[2];
const options = protocol === "default" ? {} : { RESP: Number(protocol) };
const binary = Buffer.from([...Array(256).keys()]);

function connect(more = {}) {
  // Without a listener the loss of a connection would end the program.
  return createClient({ socket: { port }, ...options, ...more }).on("error", () => {}).connect();
}

const client = await connect();
const other = await connect();

async function untilBlocked() {
  const blocked = async () => showsBlocked(await other.sendCommand(["CLIENT", "LIST"]));
  await waitUntil("a blocked client", blocked);
}

async function pushAndPop() {
  assert.equal(await client.rPush("q", ["a", "b", "c"]), 3);
  assert.equal(await client.lPush("q", "z"), 4);
  assert.deepEqual(await client.lRange("q", 0, -1), ["z", "a", "b", "c"]);
  assert.equal(await client.lPop("q"), "z");
  assert.deepEqual(await client.rPopCount("q", 2), ["c", "b"]);
  assert.equal(await client.lMove("q", "r", "LEFT", "RIGHT"), "a");
  assert.equal(await client.lPos("r", "a"), 0);
  assert.deepEqual(await client.lmPop(["q", "r"], "LEFT"), ["r", ["a"]]);
  assert.equal(await client.lPop("q"), null);
}

async function blockingPop() {
  assert.equal(await client.blPop("q", 0.05), null);
  const served = client.blPop(["q", "r"], 0);
  await untilBlocked();
  assert.equal(await other.rPush("r", "x"), 1);
  assert.deepEqual({ ...(await served) }, { key: "r", element: "x" });

  const moved = client.blMove("q", "r", "LEFT", "RIGHT", 0);
  await untilBlocked();
  await other.rPush("q", "y");
  assert.equal(await moved, "y");
}

async function pipeline() {
  const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
  const lengths = await Promise.all(numbers.map((number) => client.rPush("q", `${number}`)));
  assert.deepEqual(lengths, numbers);
  await assert.rejects(client.sendCommand(["NOSUCHCOMMAND"]), /unknown command/);
}

async function transaction() {
  const done = await client.multi().rPush("q", "a").rPush("q", "b").lPop("q").exec();
  assert.deepEqual(done, [1, 2, "a"]);
}

async function watchedTransactionWithConflict() {
  await client.watch("q");
  await other.rPush("q", "first");
  await assert.rejects(client.multi().rPush("q", "second").exec(), WatchError);
  assert.deepEqual(await client.lRange("q", 0, -1), ["first"]);
}

async function publishAndSubscribe() {
  const subscriber = await connect();
  const received = [];
  const listener = (message, channel) => received.push([channel, message]);
  await subscriber.subscribe("news", listener);
  await subscriber.pSubscribe("n?ws*", listener);
  assert.equal(await other.publish("news", "hello"), 2);
  await subscriber.unsubscribe("news");
  assert.equal(await other.publish("news.sport", "goal"), 1);
  await waitUntil("three messages", () => received.length === 3);
  assert.deepEqual(received, [["news", "hello"], ["news", "hello"], ["news.sport", "goal"]]);
  subscriber.destroy();
}

async function binaryAndLargePayloads() {
  const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const large = Buffer.alloc(10_000_000, binary);
  assert.equal(await client.rPush(binary, [binary, large]), 2);
  assert.deepEqual(await buffers.lPop(binary), binary);
  assert.ok(large.equals(await buffers.lPop(binary)));
}

async function scan() {
  const keys = Array.from({ length: 500 }, (_, number) => `scan:${number}`);
  await Promise.all(keys.map((key) => client.rPush(key, "x")));
  const found = new Set();
  for await (const some of client.scanIterator({ MATCH: "scan:*", COUNT: 50 })) {
    some.forEach((key) => found.add(key));
  }
  assert.equal(found.size, 500);
}

async function expiry() {
  await client.rPush("q", "a");
  assert.equal(await client.expire("q", 100), 1);
  assert.ok((await client.ttl("q")) > 90);
  assert.equal(await client.pExpire("q", 20), 1);
  await waitUntil("the key has expired", async () => (await client.exists("q")) === 0);
}

async function clientInformation() {
  const named = await connect({ name: "worker" });
  assert.equal(await named.clientGetName(), "worker");
  const entry = (await other.clientList()).find((entry) => entry.name === "worker");
  assert.equal(entry.resp, protocol === "2" ? 2 : 3);
  assert.match(await client.info(), /^redis_version:\d/m);
  assert.ok(Number((await client.configGet("maxclients")).maxclients) > 0);
  assert.equal((await client.command()).length, await client.commandCount());
  named.destroy();
}

async function reconnectAfterKill() {
  const victim = await connect();
  const identity = await victim.clientId();
  const reconnected = new Promise((resolve) => victim.once("ready", resolve));
  assert.equal(await other.clientKill({ filter: "ID", id: identity }), 1);
  await reconnected;
  assert.ok((await victim.clientId()) > identity);
  victim.destroy();
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

await run(`node-redis, protocol ${protocol}`, checks, () => other.flushAll());
