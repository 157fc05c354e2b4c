// The keyboard, screens and themes, other readers, and what the page may load.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { adder, button, DEAD_LETTERS, NARROW, openQueue, readRows, rowOf, until, untilLive, WIDE } from "./harness.mjs";

export const checks = [];
const check = adder(checks);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Asks axe for everything that it finds wrong. */
async function accessible(page, what) {
  // The page's own policy forbids other scripts in it, but the debugger may evaluate one.
  const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ["violations"] })`);
  const violations = found.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ target, any }) => `${target} ${any[0]?.message ?? ""}`).join(" | ")}`,
  );
  assert.deepEqual(violations, [], what);
}

check("can be used with the keyboard alone", async ({ client, open }) => {
  for (const name of ["alpha", "beta", "gamma"]) await client.call("RPUSH", name, "x");
  const page = await open();
  await until("the rows", () => rowOf(page, "gamma"));
  const active = () =>
    page.evaluate(() => document.activeElement.textContent || document.activeElement.getAttribute("aria-label"));
  await page.keyboard.press("/");
  assert.equal(await active(), "Filter by name");
  await page.keyboard.type("a");
  await page.keyboard.press("ArrowDown");
  assert.equal(await active(), "alpha");
  await page.keyboard.press("End");
  assert.equal(await active(), "gamma");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.locator(".detail").waitFor();
  assert.equal(await active(), "beta");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H2");
  for (let i = 0; i < 12 && (await active()) !== "Pause…"; i += 1) await page.keyboard.press("Tab");
  assert.equal(await active(), "Pause…");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await until("the dialog closes", async () => (await page.getByRole("dialog").count()) === 0);
  assert.equal(await active(), "Pause…");
  await page.keyboard.press("Escape");
  await until("the panel closes", async () => (await page.locator(".detail").count()) === 0);
  await until("the focus is where it was", async () => (await active()) === "beta");
  await page.locator("#queues thead button").first().focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("#queues thead th").first().getAttribute("aria-sort"), "ascending");
  await page.keyboard.press("5");
  await page.locator("[data-view=server][aria-current=page]").waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.keyboard.press("Escape");
});

check("remembers the theme, and has an address for each view", async ({ client, open }) => {
  await client.call("RPUSH", "with space/slash", "x");
  const page = await open();
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.locator("#theme").click();
  await page.locator("#theme").click();
  assert.equal(await page.locator("#theme").textContent(), "Theme: dark");
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), dark);
  await openQueue(page, "with space/slash");
  await page.reload();
  await until("the same panel", async () => (await page.locator(".detail h2").textContent()) === "with space/slash");
  await page.locator("[data-view=clients]").click();
  await page.goBack();
  await page.locator(".detail").waitFor();
});

check("fits a narrow screen", async ({ client, open }) => {
  await client.call("RPUSH", "a-queue-with-quite-a-long-name:and-more-of-it", "x");
  await client.call("QUEUE", "PAUSE", "a-queue-with-quite-a-long-name:and-more-of-it");
  const page = await open({ viewport: NARROW });
  for (const view of ["queues", "policies", "channels", "clients", "server"]) {
    await page.locator(`[data-view=${view}]`).click();
    await page.locator(`[data-view=${view}][aria-current=page]`).waitFor();
    const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(inner <= outer, `${view} is ${inner} wide`);
    const tables = await page
      .locator(".scroller")
      .evaluateAll((all) => all.map((one) => one.scrollWidth - one.clientWidth));
    assert.ok(
      tables.every((beyond) => beyond <= 0),
      `tables of ${view}: ${tables}`,
    );
  }
  await page.locator("[data-view=queues]").click();
  await page.getByLabel("Sort by").selectOption("bytes");
  await page.locator("#queues tbody a").first().click();
  await page.locator(".detail").waitFor();
  assert.equal(await page.locator("#queues").isVisible(), false);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= NARROW.width);
  await button(page, "Close the panel").click();
  await page.locator("#queues").waitFor();
});

check("is one document that may load and run nothing else", async ({ broker, open }) => {
  const answer = await fetch(broker.url);
  const policy = answer.headers.get("content-security-policy");
  assert.match(answer.headers.get("content-type"), /^text\/html; charset=utf-8/i);
  for (const part of [/default-src 'none'/, /script-src '(sha256|nonce)-/, /connect-src 'self'/])
    assert.match(policy, part);
  assert.doesNotMatch(policy, /script-src[^;]*(unsafe-inline|unsafe-eval)/);
  const page = await open();
  await untilLive(page);
  const isRun = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.wasRun = true";
    document.body.append(script);
    return "wasRun" in globalThis;
  });
  assert.equal(isRun, false);
  page.faults = page.faults.filter((fault) => !/Content Security Policy/.test(fault));
});

for (const theme of ["light", "dark"]) {
  check(`has no fault that axe finds, ${theme}`, ["--appendonly", "yes"], async ({ broker, client, open }) => {
    await client.call("QUEUE", "POLICY", "SET", ...DEAD_LETTERS);
    await client.call("RPUSH", "jobs", ...Array.from({ length: 60 }, (_, i) => `job ${i}`));
    await client.call("RPUSH", "plain", Buffer.from([255, 0]), "{}");
    await client.call("QUEUE", "PAUSE", "plain", "READ");
    (await broker.connect()).call("SUBSCRIBE", "news").catch(() => {});
    for (const viewport of [WIDE, NARROW]) {
      const page = await open({ theme, viewport });
      await until("the rows", () => rowOf(page, "jobs"));
      for (const view of ["queues", "policies", "channels", "clients", "server"]) {
        await page.locator(`[data-view=${view}]`).click();
        await until(`rows of ${view}`, async () => (await readRows(page)).length > 0);
        await accessible(page, view);
      }
      await page.locator("[data-view=queues]").click();
      await openQueue(page, "plain");
      await until("messages", async () => (await page.locator(".messages > li").count()) === 2);
      await page.locator(".messages summary").first().click();
      await accessible(page, "the panel");
      for (const name of ["Pause…", "Purge…", "Move…"]) {
        await button(page, name).click();
        await accessible(page, name);
        await page.keyboard.press("Escape");
      }
      await page.goto(`${broker.url}#/policies`);
      await button(page, "Edit jobs").click();
      await page.getByLabel("max-length", { exact: true }).fill("none");
      await page.locator("dialog button.main").click();
      await page.getByRole("alert").waitFor();
      await accessible(page, "the form of a policy");
    }
    const page = await open({ theme });
    await until("the rows", () => rowOf(page, "jobs"));
    await page.getByLabel("Filter by name").fill("nothing");
    await page.getByText("No queue matches").waitFor();
    await accessible(page, "no match");
    await page.keyboard.press("Escape");
    await broker.kill();
    await page.locator("#notice").waitFor();
    await accessible(page, "disconnected");
  });
}
