// Pictures of the page under load: PROGRAM, a directory for the two of docs, and perhaps one for many more,
// to look at. They look best where the fonts Inter and JetBrains Mono are installed.

import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Broker, NARROW, WIDE, launch, openPage, rowOf, until } from "./harness.mjs";
import { load } from "./load.mjs";

const [program, docs, all] = process.argv.slice(2);
/** Lines of the last minute want that long. */
const HISTORY_MS = 66_000;
const PICTURE_BYTES_MAX = 200_000;

const browser = await launch();
const broker = await Broker.start(program, "--appendonly", "yes", "--maxmemory", "64mb");
let isOver = false;
const working = load(broker.port, () => isOver);
const client = await broker.connect();

/** Takes a picture in each theme. */
async function both(directory, name, options, act = async () => {}) {
  for (const theme of ["light", "dark"]) {
    const page = await openPage(browser, options.broker ?? broker, { ...options, theme });
    await act(page);
    await page.screenshot({ path: join(directory, `${name}-${theme}.png`) });
    await page.context().close();
  }
}

const rows = (page) => until("rows", () => rowOf(page, "orders"));
const settle = (page, ms = HISTORY_MS) => page.waitForTimeout(ms);

mkdirSync(docs, { recursive: true });
await Promise.all(
  ["light", "dark"].map(async (theme) => {
    const page = await openPage(browser, broker, { theme });
    await rows(page);
    await settle(page, HISTORY_MS / 2);
    await page.getByRole("link", { name: "mail:confirm", exact: true }).click();
    await page.mouse.move(700, 20);
    await settle(page, HISTORY_MS / 2);
    await page.evaluate(() => document.activeElement.blur());
    const path = join(docs, `page-${theme}.png`);
    await page.screenshot({ path });
    if (statSync(path).size > PICTURE_BYTES_MAX) throw new Error(`${path} is larger than ${PICTURE_BYTES_MAX} bytes`);
    await page.context().close();
  }),
);

if (all) {
  mkdirSync(all, { recursive: true });
  const fill = async (target, count) => {
    const other = await target.connect();
    await other.call("QUEUE", "POLICY", "SET", "all", "tenant:*", "max-length", "100000");
    await Promise.all(
      Array.from({ length: count }, (_, i) =>
        other.call("RPUSH", `tenant:${i}`, ...Array.from({ length: 1 + ((i * 7919) % 97) }, () => "x")),
      ),
    );
  };
  await both(all, "wide", { viewport: WIDE }, async (page) => {
    await rows(page);
    await settle(page, 20_000);
  });
  await both(all, "huge", { viewport: { width: 1920, height: 1080 } }, async (page) => {
    await rows(page);
    await settle(page, 8_000);
  });
  await both(all, "narrow", { viewport: NARROW }, async (page) => {
    await rows(page);
    await settle(page, 8_000);
  });
  await both(all, "narrow-detail", { viewport: NARROW, hash: "#/queues/mail%3Aconfirm" }, async (page) => {
    await page.locator(".messages li").first().waitFor();
    await settle(page, 5_000);
  });
  for (const view of ["policies", "channels", "clients", "server"]) {
    await both(all, view, { hash: `#/${view}` }, (page) => settle(page, 6_000));
    await both(all, `narrow-${view}`, { hash: `#/${view}`, viewport: NARROW }, (page) => settle(page, 3_000));
  }
  await both(all, "detail-below", { hash: "#/queues/dead%3Awebhooks" }, async (page) => {
    await page.locator(".messages summary").first().click();
    await settle(page, 5_000);
    await page.locator(".detail").evaluate((panel) => {
      panel.scrollTop = 460;
    });
    await settle(page, 300);
  });
  await both(all, "purge", { hash: "#/queues/orders" }, async (page) => {
    await page.getByRole("button", { name: "Purge…" }).click({ timeout: 20_000 });
    await page.getByLabel("Type the name").fill("orders");
    await settle(page, 600);
  });
  await both(all, "move", { hash: "#/queues/dead%3Awebhooks" }, async (page) => {
    await page.getByRole("button", { name: "Requeue" }).click();
    await settle(page, 600);
  });
  await both(all, "policy-error", { hash: "#/policies" }, async (page) => {
    await page.getByRole("button", { name: "Edit mail" }).click();
    await page.getByLabel("retry-delay-max-ms").fill("50");
    await page.locator("dialog button.main").click();
    await page.getByRole("alert").waitFor();
  });
  const second = await Broker.start(program);
  await both(all, "empty", { broker: second }, (page) => page.getByText("No queues yet").waitFor());
  await both(all, "loading", { broker: second }, async (page) => {
    await page.route("**/events", () => {});
    await page.reload();
    await settle(page, 500);
  });
  await fill(second, 10_000);
  await both(all, "many", { broker: second }, (page) => settle(page, 12_000));
  for (const theme of ["light", "dark"]) {
    const page = await openPage(browser, second, { theme });
    await until("all queues", async () => /\d queues$/.test(await page.locator("#queues-shown").textContent()));
    await settle(page, 8_000);
    await second.kill();
    await settle(page, 6_000);
    await page.screenshot({ path: join(all, `disconnected-${theme}.png`) });
    await page.context().close();
    await second.run();
    await fill(second, 100);
  }
  await second.stop();
}

isOver = true;
await working;
client.close();
await browser.close();
await broker.stop();
