// The page in a browser, against a broker of its own for each check.

import assert from "node:assert/strict";
import { checks as actions } from "./actions.mjs";
import { Broker, launch, openPage, run } from "./harness.mjs";
import { checks as tables } from "./tables.mjs";
import { checks as use } from "./use.mjs";
import { checks as views } from "./views.mjs";

const program = process.argv[2];
const browser = await launch();

async function around({ settings, body }) {
  const broker = await Broker.start(program, ...settings);
  const pages = [];
  const open = async (options) => {
    const page = await openPage(browser, broker, options);
    pages.push(page);
    return page;
  };
  try {
    const client = settings.some((word) => word === "--user")
      ? await broker.connect("admin", "pw")
      : await broker.connect();
    await body({ broker, client, open });
    assert.deepEqual(
      pages.flatMap((page) => page.faults),
      [],
    );
  } finally {
    for (const page of pages) await page.context().close();
    await broker.stop();
  }
}

const isFine = await run([...tables, ...actions, ...views, ...use], around);
await browser.close();
process.exit(isFine ? 0 : 1);
