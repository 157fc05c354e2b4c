// What the checks of the page share: a broker of their own, a browser, and how to wait and report.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Client } from "./resp.mjs";

const CHECK_TIMEOUT_MS = 60_000;
const WAIT_MS = 20_000;
export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };

/** Asks `condition` until it gives something true, which is returned. */
export async function until(what, condition, timeoutMs = WAIT_MS) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A broker in a directory of its own, that can be killed and started again on the same ports. */
export class Broker {
  static async start(program, ...settings) {
    const broker = new Broker();
    broker.program = program;
    broker.directory = mkdtempSync(join(tmpdir(), "tidegate-page-"));
    broker.port = await freePort();
    broker.httpPort = await freePort();
    broker.settings = settings;
    broker.clients = [];
    await broker.run();
    return broker;
  }

  get url() {
    return `http://127.0.0.1:${this.httpPort}/`;
  }

  async run() {
    const words = ["--port", this.port, "--http-port", this.httpPort, "--dir", this.directory, ...this.settings];
    this.log = "";
    this.process = spawn(this.program, words.map(String), { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream.on("data", (text) => {
        this.log += text;
      });
    await until(`the broker answers: ${this.log}`, async () => {
      if (this.process.exitCode !== null) throw new Error(`the broker ended: ${this.log}`);
      try {
        await (await fetch(new URL("healthz", this.url))).arrayBuffer();
        return true;
      } catch {
        return false;
      }
    });
  }

  /** A client of the RESP port. */
  async connect(...auth) {
    const client = await Client.connect(this.port, ...auth);
    this.clients.push(client);
    return client;
  }

  /** Ends the process as a crash would. */
  async kill() {
    for (const client of this.clients.splice(0)) client.close();
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }

  async stop() {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

/** A page of the broker. What goes wrong in it is gathered in `page.faults`. */
export async function openPage(browser, broker, { viewport = WIDE, theme = "light", user, hash = "" } = {}) {
  const httpCredentials = user ? { username: user[0], password: user[1] } : undefined;
  const context = await browser.newContext({ viewport, colorScheme: theme, httpCredentials });
  context.setDefaultTimeout(WAIT_MS / 2);
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error.stack)));
  page.on("console", (message) => {
    // That an answer was an error is no fault of the page, which shows it.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(broker.url) && !request.url().startsWith("data:"))
      page.faults.push(`asks for ${request.url()}`);
  });
  await page.goto(broker.url + hash);
  return page;
}

export const liveState = (page) => page.locator("#live").textContent();
export const untilLive = (page) => until("the page is live", async () => (await liveState(page)) === "Live");

/** The rows of a table that exist, as objects with the titles of the columns as names. */
export function readRows(page, table = "table.rows") {
  return page
    .locator(table)
    .first()
    .evaluate((element) => {
      const titles = [...element.tHead.rows[0].cells].map((cell) => cell.textContent);
      return [...element.tBodies[0].rows]
        .filter((row) => !row.classList.contains("gap"))
        .map((row) => Object.fromEntries([...row.cells].map((cell, i) => [titles[i], cell.textContent])));
    });
}

/** The row of one queue, when it is there. */
export async function rowOf(page, name) {
  return (await readRows(page, "#queues")).find((row) => row.Name === name);
}

/** QUEUE INFO with texts as strings. */
export async function queueInfo(client, name) {
  const info = await client.call("QUEUE", "INFO", name);
  return Object.fromEntries(
    Object.entries(info).map(([field, value]) => [field, Buffer.isBuffer(value) ? value.toString() : value]),
  );
}

/** A policy for the queue `jobs`, whose messages become dead letters at their first failure. */
export const DEAD_LETTERS = [
  "jobs",
  "jobs",
  "delivery",
  "at-least-once",
  "acknowledge",
  "explicit",
  "delivery-limit",
  "1",
  "dead-letter",
  "dead",
];

export const button = (page, name) => page.getByRole("button", { name, exact: true });

/** Waits until the page announces something. */
export const said = (page, text) =>
  until(`the page says ${text}`, async () => (await page.locator("#whispered").textContent()).includes(text));

/** The text of a field in a queue's panel. */
export const panelField = (page, name) => page.locator(`.detail [data-field="${name}"]`).first().textContent();

/** Opens the panel of a queue whose row is in sight. */
export async function openQueue(page, name) {
  await page.locator("#queues").getByRole("link", { name, exact: true }).click();
  await page.locator(".detail").waitFor();
}

/**
 * Returns a function that adds a check to an array: its name, perhaps settings of the broker, and a body,
 * which gets `{ broker, client, open }`.
 */
export const adder = (checks) => (name, settings, body) =>
  checks.push({ name, settings: body ? settings : [], body: body ?? settings });

export const grouped = (value) => new Intl.NumberFormat("en").format(value);

/** Runs the checks whose names contain the text in `ONLY`, one after the other. Returns whether all passed. */
export async function run(checks, around) {
  const wanted = checks.filter(({ name }) => name.includes(process.env.ONLY ?? ""));
  let failed = 0;
  for (const check of wanted) {
    try {
      await Promise.race([around(check), expiry()]);
      console.log(`ok page: ${check.name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED page: ${check.name}`);
      console.log(String(error.stack).replace(/^/gm, "    "));
    }
  }
  console.log(`${wanted.length - failed} passed, ${failed} failed`);
  return failed === 0 && wanted.length > 0;
}

function expiry() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no end within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS).unref();
  });
}
