// node-redis over TLS, with the protocol that is asked for.

import assert from "node:assert/strict";
import { createClient, RESP_TYPES } from "redis";
import { run, waitUntil } from "./check.mjs";
import * as tls from "./tls.mjs";

const protocol = process.argv[2];

/** Connects once, and fails with the reason if that does not work. */
async function connect(given = "client", more = {}) {
  const place = { host: "127.0.0.1", port: tls.tlsPort, reconnectStrategy: false };
  const socket = { ...place, tls: true, ...tls.certificates(given) };
  // Without a listener the loss of a connection would end the program.
  return createClient({ socket, RESP: Number(protocol), ...more }).on("error", () => {}).connect();
}

async function ping(given, more) {
  const client = await connect(given, more);
  try {
    assert.equal(await client.ping(), "PONG");
  } finally {
    client.destroy();
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
    assert.equal(await worker.aclWhoAmI(), tls.user.username);
    assert.equal(await worker.rPush("jobs:1", "a"), 1);
    assert.equal(await worker.lPop("jobs:1"), "a");
    await assert.rejects(worker.flushAll(), /NOPERM/);
    await assert.rejects(worker.rPush("other", "a"), /NOPERM/);
    worker.destroy();
    await assert.rejects(ping(given, { ...tls.user, password: "wrong" }), /WRONGPASS/);
  }
}

async function speaksTheProtocol() {
  const client = await connect("client", { name: "named" });
  assert.equal(await client.clientGetName(), "named");
  assert.equal(await tls.protocolOf("named"), protocol);
  client.destroy();
}

async function blockedPopIsServed() {
  const [client, other] = [await connect(), await connect()];
  const served = client.blPop("q", 20);
  await tls.untilBlocked();
  assert.equal(await other.rPush("q", "x"), 1);
  assert.deepEqual({ ...(await served) }, { key: "q", element: "x" });
  client.destroy();
  other.destroy();
}

async function pipeline() {
  const client = await connect();
  const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
  const lengths = await Promise.all(numbers.map((number) => client.rPush("q", `${number}`)));
  assert.deepEqual(lengths, numbers);
  assert.deepEqual(await client.lRange("q", 0, -1), numbers.map(String));
  client.destroy();
}

async function fiveMegabytes() {
  const client = await connect();
  const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  assert.equal(await client.rPush("q", tls.large), 1);
  assert.ok(tls.large.equals(await buffers.lPop("q")));
  client.destroy();
}

async function publishAndSubscribe() {
  const [subscriber, other] = [await connect(), await connect()];
  const messages = [Buffer.from("hello"), tls.large];
  const received = [];
  await subscriber.subscribe("news", (message) => received.push(message), true);
  for (const message of messages) assert.equal(await other.publish("news", message), 1);
  await waitUntil("two messages", () => received.length === 2);
  assert.ok(received.every((message, index) => message.equals(messages[index])));
  subscriber.destroy();
  other.destroy();
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

await run(`node-redis with TLS, protocol ${protocol}`, checks, tls.reset);
