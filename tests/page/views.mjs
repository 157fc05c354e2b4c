// The other views, users with fewer rights, and the connection.

import assert from "node:assert/strict";
import { adder, button, liveState, openQueue, queueInfo, readRows, rowOf, until } from "./harness.mjs";

export const checks = [];
const check = adder(checks);

check(
  "lists channels, clients and the server's figures",
  ["--maxmemory", "256mb", "--appendonly", "yes"],
  async ({ broker, client, open }) => {
    for (const channels of [["news", "prices"], ["news"]])
      (await broker.connect()).call("SUBSCRIBE", ...channels).catch(() => {});
    await client.call("CLIENT", "SETNAME", "the-tester");
    const page = await open({ hash: "#/channels" });
    await until("both channels", async () => (await readRows(page)).length === 2);
    assert.deepEqual(
      (await readRows(page)).map((row) => [row.Channel, row.Subscribers]),
      [
        ["news", "2"],
        ["prices", "1"],
      ],
    );

    await page.locator("[data-view=clients]").click();
    const row = await until("this client", async () =>
      (await readRows(page)).find(({ Name }) => Name === "the-tester"),
    );
    const line = (await client.call("CLIENT", "INFO")).toString();
    assert.equal(row.Id, /\bid=(\d+)/.exec(line)[1]);
    assert.equal(row.Address, /\baddr=(\S+)/.exec(line)[1]);
    assert.ok((await readRows(page)).some(({ State }) => State === "subscriber"));

    await page.locator("[data-view=server]").click();
    const info = async (name) => page.locator(`[data-info="${name}"]`).textContent();
    await until("the limit", async () => (await info("maxmemory")) === "256 MiB");
    assert.match(await info("used_memory"), /^\d+\.\d MiB$/);
    assert.deepEqual(
      [await info("aof_enabled"), await info("aof_last_write_status"), await info("tcp_port")],
      ["on", "ok", String(broker.port)],
    );
    assert.match(await info("eventloop_duration_max"), /^[\d.]+ (µs|ms)$/);
    await until("commands", async () =>
      (await readRows(page)).some((one) => one.Command === "CLIENT SETNAME" && one.Calls === "1"),
    );
  },
);

const USERS = [
  "--user",
  "admin on >pw ~* &* +@all",
  "--user",
  "viewer on >look ~* &* +@read +info +ping +client|list -queue|policy",
  "--user",
  "guest on >g ~* +ping",
  "--user",
  "half on >h ~* +queue|stats +queue|info",
  "--user",
  "default off",
];

check("shows a user without rights what it may see, and why the rest is missing", USERS, async ({ client, open }) => {
  await client.call("RPUSH", "jobs", "secret plan");
  const page = await open({ user: ["viewer", "look"] });
  await openQueue(page, "jobs");
  assert.equal(await page.locator("#who").textContent(), "viewer");
  await page.locator(".messages").getByText("secret plan").waitFor();
  for (const name of ["Pause…", "Move…", "Purge…"]) assert.ok(await button(page, name).isDisabled(), name);
  await page.getByText("The user viewer may not run QUEUE PAUSE, QUEUE RESUME, QUEUE MOVE or QUEUE PURGE.").waitFor();
  await page.locator("[data-view=policies]").click();
  await page.getByText("The user viewer may not run QUEUE POLICY.").waitFor();
  assert.equal(await button(page, "Add a policy…").isVisible(), false);
  // The broker itself refuses, too.
  const status = await page.evaluate(
    async () =>
      (
        await fetch("command", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: '["QUEUE","PURGE","jobs"]',
        })
      ).status,
  );
  assert.equal(status, 403);
  assert.equal((await queueInfo(client, "jobs")).length, 1);
});

check("tells users why they see nothing, or not all", USERS, async ({ client, open }) => {
  await client.call("RPUSH", "jobs", "x");
  const guest = await open({ user: ["guest", "g"] });
  await guest.getByText("The user guest may not run QUEUE STATS.").waitFor();
  const half = await open({ user: ["half", "h"] });
  await until("the queue", async () => (await rowOf(half, "jobs"))?.Length === "1");
  await client.call("RPUSH", "jobs", "y");
  await until("the next second", async () => (await rowOf(half, "jobs")).Length === "2");
  await half.locator("[data-view=server]").click();
  await half.getByText("The user half may not run INFO.").first().waitFor();
  await half.locator("[data-view=clients]").click();
  await half.getByText("The user half may not run CLIENT LIST.").waitFor();
});

check("wants a password where the broker does", USERS, async ({ broker, open }) => {
  const answer = await fetch(broker.url);
  assert.equal(answer.status, 401);
  assert.match(answer.headers.get("www-authenticate"), /^Basic /);
  assert.equal((await fetch(new URL("events", broker.url))).status, 401);
});

check("tells when the connection is lost, since when, and comes back", async ({ broker, client, open }) => {
  await client.call("RPUSH", "jobs", "1", "2", "3");
  const page = await open();
  await until("the row", () => rowOf(page, "jobs"));
  await broker.kill();
  await page.locator("#notice").waitFor();
  assert.equal(await liveState(page), "Disconnected");
  assert.match(
    await page.locator("#notice").textContent(),
    /^Connection lost\.The figures are those of \d\d:\d\d:\d\d, \d+ s ago/,
  );
  assert.equal((await rowOf(page, "jobs")).Length, "3");
  await openQueue(page, "jobs");
  assert.ok(await button(page, "Purge…").isDisabled());
  await until("a later attempt", async () => /Next attempt in \d+ s/.test(await page.locator("#notice").textContent()));
  await broker.run();
  const again = await broker.connect();
  await again.call("RPUSH", "jobs", "only");
  await until("an attempt at once", async () => {
    if (await page.locator("#notice").isVisible())
      await button(page, "Try now")
        .click({ timeout: 500 })
        .catch(() => {});
    return (await liveState(page)) === "Live";
  });
  await until("what is there now", async () => (await rowOf(page, "jobs"))?.Length === "1");
  assert.equal(await page.locator("#notice").isVisible(), false);
  assert.ok(await button(page, "Purge…").isEnabled());
});

check("begins with loading, then says that there are no queues", async ({ open }) => {
  const page = await open();
  await page.getByText("No queues yet").waitFor();
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  await page.route("**/events", async (route) => {
    await held;
    await route.continue();
  });
  await page.reload();
  await page.getByText("Asking the broker for its queues.").waitFor();
  assert.equal(await liveState(page), "Connecting");
  release();
  await page.getByText("No queues yet").waitFor();
});
