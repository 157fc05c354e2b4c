// HTTP with fetch, undici's pipelines and EventSource.

import assert from "node:assert/strict";
import { EventSource } from "eventsource";
import { Client } from "undici";
import { run, waitUntil } from "./check.mjs";

const url = `http://127.0.0.1:${process.env.HTTP_PORT}`;

async function command(...words) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${url}/command`, { method: "POST", headers, body: JSON.stringify(words) });
  return (await response.json()).reply;
}

async function reset() {
  await command("FLUSHALL");
}

async function fetchPushesPopsAndPolls() {
  const body = new Uint8Array(1_000_000).map((_, index) => index);
  const pushed = await fetch(`${url}/queues/jobs`, { method: "POST", body });
  assert.deepEqual([pushed.status, await pushed.json()], [202, { length: 1 }]);
  const popped = await fetch(`${url}/queues/jobs`);
  assert.deepEqual(new Uint8Array(await popped.arrayBuffer()), body);
  assert.equal((await fetch(`${url}/queues/jobs`)).status, 204);
  const poll = fetch(`${url}/queues/jobs?wait=20`);
  await waitUntil("a blocked client", async () => /flags=b/.test(await command("CLIENT", "LIST")));
  // A stream has no length: it is chunked.
  const stream = new Blob(["from a stream"]).stream();
  await fetch(`${url}/queues/jobs`, { method: "POST", body: stream, duplex: "half" });
  assert.equal(await (await poll).text(), "from a stream");
}

async function fetchThatIsAbortedTakesNoMessage() {
  const controller = new AbortController();
  const poll = fetch(`${url}/queues/jobs?wait=20`, { signal: controller.signal });
  await waitUntil("a blocked client", async () => /flags=b/.test(await command("CLIENT", "LIST")));
  controller.abort();
  await assert.rejects(poll, { name: "AbortError" });
  await waitUntil("none", async () => !/flags=b/.test(await command("CLIENT", "LIST")));
  await command("RPUSH", "jobs", "kept");
  assert.equal(await (await fetch(`${url}/queues/jobs`)).text(), "kept");
}

async function undiciPipelines() {
  const client = new Client(url, { pipelining: 50 });
  const numbers = [...Array(1000).keys()];
  const headers = { "content-type": "text/plain" };
  // A request with a body is not retried, and so not pipelined unless it is said to be idempotent.
  const push = (number) =>
    client.request({ path: "/queues/jobs", method: "POST", headers, body: `${number}`, idempotent: true, blocking: false });
  const lengths = await Promise.all(numbers.map(async (number) => (await (await push(number)).body.json()).length));
  assert.deepEqual(lengths, numbers.map((number) => number + 1));
  const pop = () => client.request({ path: "/queues/jobs", method: "GET", blocking: false });
  const popped = await Promise.all(numbers.map(async () => Number(await (await pop()).body.text())));
  assert.deepEqual(popped, numbers);
  await client.close();
}

async function eventSourceReadsAChannel() {
  const events = new EventSource(`${url}/channels/news`);
  const patterns = new EventSource(`${url}/channels/n*?pattern=1`);
  const messages = [];
  events.onmessage = (event) => messages.push(event.data);
  events.addEventListener("base64", (event) => messages.push(Buffer.from(event.data, "base64")));
  patterns.onmessage = (event) => messages.push(JSON.parse(event.data));
  await waitUntil("two streams", async () => (await command("PUBSUB", "NUMPAT")) === 1 && (await command("PUBSUB", "NUMSUB", "news"))["news"] !== 0);
  const receivers = async (body) => (await (await fetch(`${url}/channels/news`, { method: "POST", body })).json()).receivers;
  await waitUntil("both", async () => (await receivers("probe")) === 2);
  await waitUntil("its messages", () => messages.length >= 2);
  messages.length = 0;
  await receivers("two\nlines");
  await receivers(Uint8Array.of(255, 0));
  await waitUntil("four events", () => messages.length === 4);
  events.close();
  patterns.close();
  assert.deepEqual(messages.filter((message) => typeof message === "string"), ["two\nlines"]);
  assert.deepEqual(messages.filter(Buffer.isBuffer), [Buffer.from([255, 0])]);
  const seen = messages.filter((message) => message.channel).map((message) => message.message);
  assert.deepEqual(seen, ["two\nlines", { base64: "/wA=" }]);
}

await run("HTTP with Node", [fetchPushesPopsAndPolls, fetchThatIsAbortedTakesNoMessage, undiciPipelines, eventSourceReadsAChannel], reset);
