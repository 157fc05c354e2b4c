// ioredis over TLS, with the protocol that is asked for.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Redis } from "ioredis";
import { run } from "./check.mjs";
import * as tls from "./tls.mjs";

const protocol = process.argv[2];

/** Connects once, and fails with the reason if that does not work. */
async function connect(given = "client", more = {}) {
  const client = new Redis({
    host: "127.0.0.1",
    port: tls.tlsPort,
    tls: tls.certificates(given),
    protocol: Number(protocol),
    lazyConnect: true,
    retryStrategy: null,
    ...more,
  });
  let reason;
  client.on("error", (error) => { reason ??= error; });
  try {
    await client.connect();
  } catch (error) {
    throw reason ?? error;
  }
  return client;
}

async function ping(given, more) {
  const client = await connect(given, more);
  try {
    assert.equal(await client.ping(), "PONG");
  } finally {
    client.disconnect();
  }
}

async function certificatesNotAskedFor() {
  await tls.admits("no", ping);
}

async function optionalCertificates() {
  await tls.admits("optional", ping);
}

async function requiredCertificates() {
  await tls.admits("yes", ping);
}

async function serverOfAnUnknownAuthority() {
  await tls.withServerCertificate("stranger", async () => {
    await assert.rejects(ping(), { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
  });
  await ping();
}

async function userWithAPassword() {
  await tls.addUser();
  for (const given of ["", "client"]) {
    await tls.askClients(given ? "yes" : "no");
    const worker = await connect(given, tls.user);
    assert.equal(await worker.acl("WHOAMI"), tls.user.username);
    assert.equal(await worker.rpush("jobs:1", "a"), 1);
    assert.equal(await worker.lpop("jobs:1"), "a");
    await assert.rejects(worker.flushall(), /NOPERM/);
    await assert.rejects(worker.rpush("other", "a"), /NOPERM/);
    worker.disconnect();
    await assert.rejects(ping(given, { ...tls.user, password: "wrong" }), /WRONGPASS/);
  }
}

async function speaksTheProtocol() {
  const client = await connect("client", { connectionName: "named" });
  assert.equal(await client.client("GETNAME"), "named");
  assert.equal(await tls.protocolOf("named"), protocol);
  client.disconnect();
}

async function blockedPopIsServed() {
  const [client, other] = [await connect(), await connect()];
  const served = client.blpop("q", 20);
  await tls.untilBlocked();
  assert.equal(await other.rpush("q", "x"), 1);
  assert.deepEqual(await served, ["q", "x"]);
  client.disconnect();
  other.disconnect();
}

async function pipeline() {
  const client = await connect();
  const batch = client.pipeline();
  for (let number = 1; number <= 1000; number++) batch.rpush("q", number);
  const replies = await batch.exec();
  assert.deepEqual(replies, Array.from({ length: 1000 }, (_, index) => [null, index + 1]));
  const elements = await client.lrange("q", 0, -1);
  assert.deepEqual(elements, Array.from({ length: 1000 }, (_, index) => `${index + 1}`));
  client.disconnect();
}

async function fiveMegabytes() {
  const client = await connect();
  assert.equal(await client.rpush("q", tls.large), 1);
  assert.ok(tls.large.equals(await client.lpopBuffer("q")));
  client.disconnect();
}

async function publishAndSubscribe() {
  const [subscriber, other] = [await connect(), await connect()];
  assert.equal(await subscriber.subscribe("news"), 1);
  for (const message of [Buffer.from("hello"), tls.large]) {
    const received = once(subscriber, "messageBuffer");
    assert.equal(await other.publish("news", message), 1);
    const [channel, content] = await received;
    assert.equal(channel.toString(), "news");
    assert.ok(message.equals(content));
  }
  subscriber.disconnect();
  other.disconnect();
}

const checks = [
  certificatesNotAskedFor,
  optionalCertificates,
  requiredCertificates,
  serverOfAnUnknownAuthority,
  userWithAPassword,
  speaksTheProtocol,
  blockedPopIsServed,
  pipeline,
  fiveMegabytes,
  publishAndSubscribe,
];

await run(`ioredis with TLS, protocol ${protocol}`, checks, tls.reset);
