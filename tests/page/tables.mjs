// The table of queues.

import assert from "node:assert/strict";
import { load } from "./load.mjs";
import {
  adder,
  button,
  DEAD_LETTERS,
  grouped,
  openQueue,
  panelField,
  queueInfo,
  readRows,
  rowOf,
  said,
  until,
  untilLive,
} from "./harness.mjs";

export const checks = [];
const check = adder(checks);

check("shows what QUEUE INFO says", async ({ client, open }) => {
  await client.call("QUEUE", "POLICY", "SET", ...DEAD_LETTERS, "max-length", "100");
  await client.call("RPUSH", "jobs", ...Array.from({ length: 40 }, (_, i) => `message ${i}`));
  await client.call("QUEUE", "POP", "1", "jobs", "COUNT", "3", "LEASE", "600000");
  await client.call("QUEUE", "PUSH", "jobs", "DELAY", "600000", "MESSAGES", "2", "later", "latest");
  await client.call("RPUSH", "plain", ...Array.from({ length: 1234 }, () => "x"));
  const page = await open();
  await until("both rows", async () => (await rowOf(page, "jobs")) && (await rowOf(page, "plain")));
  const info = await queueInfo(client, "jobs");
  const jobs = await rowOf(page, "jobs");
  assert.equal(info.length, 37);
  assert.deepEqual(
    [jobs.Length, jobs["In flight"], jobs.Delayed, jobs.Policy, jobs.State],
    ["37", "3", "2", "jobs", ""],
  );
  const size = info.bytes < 1024 ? `${info.bytes} B` : `${(info.bytes / 1024).toFixed(1)} KiB`;
  assert.equal(jobs.Bytes, size);
  const plain = await rowOf(page, "plain");
  assert.deepEqual(
    [plain.Length, plain.Bytes, plain.Oldest, plain["In/s"], plain.Policy],
    ["1,234", "–", "–", "–", "–"],
  );

  await openQueue(page, "jobs");
  for (const [field, value] of Object.entries(info)) {
    if (typeof value !== "number" || field === "oldest-age-ms" || field === "bytes") continue;
    assert.equal(await panelField(page, field), grouped(value), field);
  }
  assert.equal(await panelField(page, "bytes"), size);
  const ageMs = async () => {
    const parts = (await panelField(page, "oldest-age-ms")).split(" ");
    const units = { ms: 1, s: 1000, m: 60_000 };
    return parts.reduce((sum, part, i) => (i % 2 === 0 ? sum + Number(part) * units[parts[i + 1]] : sum), 0);
  };
  const [before, shown, after] = [
    (await queueInfo(client, "jobs"))["oldest-age-ms"],
    await ageMs(),
    (await queueInfo(client, "jobs"))["oldest-age-ms"],
  ];
  assert.ok(shown >= before - 5_000 && shown <= after + 1_000, `${shown} is not within ${before} and ${after}`);
});

check("follows a broker under load", async ({ broker, client, open }) => {
  const page = await open();
  await untilLive(page);
  let isOver = false;
  let failure = null;
  const working = load(broker.port, () => isOver).catch((error) => {
    failure = error;
  });
  const seen = new Set();
  const seesRates = async () => {
    if (failure) throw failure;
    seen.add(await page.locator("#figure-ready").textContent());
    const row = await rowOf(page, "orders");
    return seen.size >= 4 && Number(row?.["In/s"]) > 0 && Number(row?.["Out/s"]) > 0;
  };
  await until("rates, and a changing number of messages", seesRates);
  assert.ok((await page.locator("#queues tbody path.line").first().getAttribute("d")).startsWith("M"));
  isOver = true;
  await working;
  const names = (await client.call("QUEUE", "LIST", "0", "COUNT", "1000"))[1].map(String);
  assert.ok(names.length > 8);
  for (const name of names) {
    await until(`${name} as QUEUE INFO has it`, async () => {
      const [info, row] = [await queueInfo(client, name), await rowOf(page, name)];
      return (
        row &&
        row.Length === grouped(info.length) &&
        row["In flight"] === grouped(info["in-flight"]) &&
        row.Delayed === grouped(info.delayed) &&
        row.Policy === (info.policy ?? "–")
      );
    });
  }
});

check("filters by name", async ({ client, open }) => {
  for (const name of ["mail:ann", "mail:bob", "Orders", "images"]) await client.call("RPUSH", name, "x");
  const page = await open();
  await until("all queues", async () => (await readRows(page, "#queues")).length === 4);
  const filter = page.getByLabel("Filter by name");
  await filter.fill("MAIL");
  assert.deepEqual(
    (await readRows(page, "#queues")).map((row) => row.Name),
    ["mail:ann", "mail:bob"],
  );
  assert.equal(await page.locator("#queues-shown").textContent(), "2 of 4 queues");
  await said(page, "2 of 4 queues");
  await filter.fill("order");
  assert.deepEqual(
    (await readRows(page, "#queues")).map((row) => row.Name),
    ["Orders"],
  );
  await filter.fill("nothing");
  await page.getByText("No queue matches").waitFor();
  await filter.press("Escape");
  await until("all again", async () => (await readRows(page, "#queues")).length === 4);
  assert.equal(await filter.inputValue(), "");
});

check("sorts by each column, stably, with unknown values last", async ({ client, open }) => {
  await client.call("QUEUE", "POLICY", "SET", "some", "q[1-6]", "max-length", "1000");
  await client.call("QUEUE", "POLICY", "SET", "other", "q7", "max-length", "1000", "delay-ms", "600000");
  for (let i = 1; i <= 10; i += 1)
    await client.call("RPUSH", `q${i}`, ...Array.from({ length: 1 + ((i * 7) % 4) }, () => "x".repeat(i)));
  await client.call("QUEUE", "PAUSE", "q3", "READ");
  await client.call("QUEUE", "PAUSE", "q9", "WRITE");
  const page = await open();
  await until("all queues", async () => (await readRows(page, "#queues")).length === 10);
  const plainNumber = (text) => (text === "–" ? null : Number(text.replace(/[^\d.-]/g, "")));
  const titles = Object.keys((await readRows(page, "#queues"))[0]).filter((title) => title !== "Last minute");
  assert.equal(titles.length, 13);
  for (const title of titles) {
    const head = page.locator("#queues thead th").filter({ hasText: new RegExp(`^${title}$`) });
    for (const wanted of [await firstOrder(title, page), undefined]) {
      await head.getByRole("button").click();
      const order = await head.getAttribute("aria-sort");
      if (wanted) assert.equal(order, wanted, title);
      assert.equal(await page.locator("#queues thead [aria-sort]").count(), 1);
      const rows = await readRows(page, "#queues");
      // Ages grow while this looks at them.
      if (title === "Oldest") continue;
      const isText = ["Name", "Policy", "State"].includes(title);
      const keys = rows.map((row) =>
        isText ? (row[title] === "–" || row[title] === "" ? null : row[title]) : plainNumber(row[title]),
      );
      const firstNull = keys.indexOf(null);
      if (firstNull >= 0)
        assert.ok(
          keys.slice(firstNull).every((key) => key === null),
          `${title}: unknown values last: ${keys}`,
        );
      const compare = (a, b) =>
        (isText ? a.localeCompare(b, "en", { numeric: true }) : a - b) * (order === "descending" ? -1 : 1);
      for (let i = 1; i < rows.length; i += 1) {
        const isTie = keys[i] === keys[i - 1];
        const difference = isTie
          ? rows[i - 1].Name.localeCompare(rows[i].Name, "en", { numeric: true })
          : keys[i] === null
            ? -1
            : compare(keys[i - 1], keys[i]);
        assert.ok(difference < 0, `${title} ${order}: ${rows[i - 1].Name} before ${rows[i].Name}`);
      }
    }
  }
});

/** The order that the first click on a title should give: numbers with the largest first, unless sorted so. */
async function firstOrder(title, page) {
  const head = page.locator("#queues thead th").filter({ hasText: new RegExp(`^${title}$`) });
  if ((await head.getAttribute("aria-sort")) !== null) return undefined;
  return ["Name", "Policy", "State"].includes(title) ? "ascending" : "descending";
}

check("shows 10,000 queues with few rows, and few changes each second", async ({ client, open }) => {
  const count = 10_000;
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      client.call("RPUSH", `queue:${i}`, ...Array.from({ length: 1 + (i % 7) }, () => "x")),
    ),
  );
  const page = await open();
  await until("all are there", async () => (await page.locator("#queues-shown").textContent()) === "10,000 queues");
  const rendered = () => page.locator("#queues tbody tr:not(.gap)").count();
  assert.ok((await rendered()) < 70, `${await rendered()} rows exist`);
  assert.equal(await page.locator("#queues").getAttribute("aria-rowcount"), String(count + 1));

  await page.locator("#queues thead").getByRole("button", { name: "Name" }).click();
  await page
    .locator(".scroller")
    .first()
    .evaluate((scroller) => {
      scroller.scrollTop = scroller.scrollHeight;
    });
  await until("the last one", () => rowOf(page, `queue:${count - 1}`));
  assert.ok((await rendered()) < 70);
  assert.equal(
    await page.locator("#queues tbody tr:not(.gap)").last().getAttribute("aria-rowindex"),
    String(count + 1),
  );

  // All queues change; what the page changes in the document follows from the rows in sight.
  await page.evaluate(() => {
    globalThis.changes = 0;
    new MutationObserver((list) => {
      globalThis.changes += list.length;
    }).observe(document.body, { childList: true, subtree: true, attributes: true, characterData: true });
  });
  const before = await page.evaluate("model.ticks");
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(Array.from({ length: count }, (_, i) => client.call("RPUSH", `queue:${i}`, "y")));
    await until("a further second", async () => (await page.evaluate("model.ticks")) > before + round);
  }
  const changes = await page.evaluate("changes / (model.ticks - " + before + ")");
  assert.ok(changes > 0 && changes < 1_500, `${changes} changes a second`);
  assert.ok(
    (await page.evaluate("Object.values(model.history.columns).reduce((sum, column) => sum + column.byteLength, 0)")) <=
      30_000_000,
  );

  await page.getByLabel("Filter by name").fill("queue:9999");
  await until("only one", async () => (await rendered()) === 1);
  assert.equal(await page.locator("#queues-shown").textContent(), "1 of 10,000 queues");
  await client.call("DEL", "queue:9999");
  await page.getByText("No queue matches").waitFor();
  await until("one less", async () => (await page.locator("#queues-shown").textContent()) === "0 of 9,999 queues");
});

check("keeps the focus in a table whose order changes", async ({ client, open }) => {
  for (let i = 0; i < 300; i += 1) await client.call("RPUSH", `q${i}`, ...Array.from({ length: 300 - i }, () => "x"));
  const page = await open();
  await until("the rows", () => rowOf(page, "q0"));
  await page.locator("#queues tbody a[tabindex='0']").focus();
  for (let i = 0; i < 3; i += 1) await page.keyboard.press("ArrowDown");
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  assert.equal(await focused(), "q3");
  await page.evaluate(() => {
    globalThis.blurs = 0;
    document.activeElement.addEventListener("blur", () => {
      globalThis.blurs += 1;
    });
  });
  // Now it would be the last row, far out of sight.
  await client.call("LTRIM", "q3", "0", "0");
  await client.call("LTRIM", "q299", "1", "0");
  await until(
    "its new place",
    async () => (await page.locator("tbody a:focus").evaluate((link) => link.closest("tr").ariaRowIndex)) === "300",
  );
  assert.deepEqual([await focused(), await page.evaluate("blurs")], ["q3", 0]);
  assert.ok((await page.locator("#queues tbody tr:not(.gap)").count()) < 70);
  await page.keyboard.press("ArrowUp");
  assert.equal(await focused(), "q298");
});
