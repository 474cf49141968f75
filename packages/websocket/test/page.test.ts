import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after, type TestContext } from "node:test";
import { CHROMIUM_ARGS, findChromium } from "@ipc/core/browser";
import { type Browser, chromium, type Page } from "playwright-core";
import type { ServerOptions } from "../src/index.ts";
import { FIVE_SIX, serve, startCutter } from "./support.ts";

const timeout = 90_000;

const executablePath = await findChromium();
let browser: Promise<Browser> | undefined;
after(async () => await (await browser)?.close());

/** A window on `url`; `problems` is what the browser complains of. */
async function openWindow(t: TestContext, url: string, width = 1280) {
  browser ??= chromium.launch({ executablePath: executablePath ?? "", args: [...CHROMIUM_ARGS] });
  const context = await (await browser).newContext({ viewport: { width, height: 800 } });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems: string[] = [];
  page.on("pageerror", ({ message }) => problems.push(message));
  page.on("console", (message) => {
    // That a connection could not be opened is what some tests are about.
    if (message.type() === "error" && !/WebSocket connection to/.test(message.text())) problems.push(message.text());
  });
  await page.goto(url.replace("ws:", "http:"));
  return { page, problems };
}

/** A server, a network that can be cut, and a window. */
async function openPage(t: TestContext, options: ServerOptions = {}, width?: number) {
  const served = await serve(t, options);
  const cutter = await startCutter(t, served.url);
  const opened = await openWindow(t, cutter.url, width);
  await isConnected(opened.page);
  return { ...served, ...opened, cutter };
}

const isConnected = (page: Page) => page.locator(".live.on").waitFor();

async function send(page: Page, text: string) {
  await page.getByLabel("Message, as JSON").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

const lines = (page: Page, what: string) => page.locator("#messages li", { hasText: new RegExp(`^${what}`) });

/** A test in a real browser; skipped by name where there is none. */
function pageTest(name: string, run: (t: TestContext) => Promise<void>) {
  test(name, { timeout }, async (t) => {
    if (executablePath === undefined) return t.skip("needs chromium");
    await run(t);
  });
}

pageTest("a message goes out and comes back, with its time; the chart follows the heartbeat", async (t) => {
  const { page, problems } = await openPage(t);
  await page.getByRole("button", { name: "Send" }).click();
  await lines(page, "received").waitFor();
  assert.match((await lines(page, "sent").textContent()) ?? "", /sent\{"five":5,"six":6\}/);
  assert.match((await lines(page, "received").textContent()) ?? "", /received\{"five":5,"six":6\}\d+\.\d ms/);
  await page.getByText(/^last \d.* · median \d.* · worst \d.* ms$/).waitFor();
  await page.locator("#chart polyline").waitFor({ state: "attached" });
  // Two points at least: the heartbeat goes on.
  await page.locator('#chart polyline[points*=" "]').waitFor({ state: "attached" });

  await send(page, "{five}");
  await page.getByText("That is no JSON.").waitFor();
  assert.equal(await page.locator("#message").getAttribute("aria-invalid"), "true");
  await send(page, '"fine"');
  await page.getByText("That is no JSON.").waitFor({ state: "hidden" });
  await lines(page, "received").nth(1).waitFor();
  assert.deepEqual(problems, []);
});

pageTest("a server that speaks first gets back what it said", async (t) => {
  let onHeard = (_message: unknown) => {};
  const heard = new Promise((resolve) => {
    onHeard = resolve;
  });
  const { page, problems } = await openPage(t, {
    onConnect: (peer) => void peer.send(FIVE_SIX),
    handler: (message) => onHeard(message),
  });
  await lines(page, "returned").waitFor();
  assert.deepEqual(await heard, FIVE_SIX);
  assert.equal(await page.locator("#messages li").count(), 2);
  assert.deepEqual(problems, []);
});

pageTest("the network is cut: the page says so, keeps what is sent, comes back and goes on", async (t) => {
  const handled: unknown[] = [];
  const { page, cutter, told, problems } = await openPage(t, {
    handler(message) {
      handled.push(message);
      return message;
    },
  });
  await send(page, "1");
  await lines(page, "received").waitFor();
  cutter.shut(true);
  cutter.cut();
  await page.getByText("not connected: cut").waitFor();
  await send(page, "2");
  await send(page, "3");
  cutter.shut(false);
  await page.getByRole("button", { name: "Reconnect" }).click({ timeout: 2_000 }).catch(ignore);
  await isConnected(page);
  await page.getByText("resumed where it was, 2 sent again").waitFor();
  await lines(page, "received").nth(2).waitFor();
  assert.deepEqual(handled, [1, 2, 3], "each exactly once");
  assert.equal((await told("resumed")).repeated, 0);
  await page.locator("#chart line.cut").waitFor({ state: "attached" });
  // By its own button, too.
  await page.getByRole("button", { name: "Cut" }).click();
  await told("resumed", 2);
  await isConnected(page);
  assert.deepEqual(problems, []);
});

/** It has come back by itself already. */
function ignore() {}

pageTest("messages that are gone for good, and a server that has forgotten, are told", async (t) => {
  const { page, cutter, server, url, told, problems } = await openPage(t, { keepMessages: 2, graceMs: 100 });
  cutter.shut(true);
  cutter.cut();
  await told("closed");
  for (let number = 0; number < 5; number++) server.broadcast(number);
  cutter.shut(false);
  await page.getByText("lost for good: 3 received; 0 sent").waitFor();
  await lines(page, "received").nth(1).waitFor();

  await server.close();
  await page.getByText("not connected").waitFor();
  await serve(t, { port: Number(new URL(url).port) });
  await page.getByText("lost for good: what the server sent meanwhile").waitFor();
  await isConnected(page);
  await send(page, '"after"');
  await lines(page, "received").getByText('"after"').waitFor();
  assert.deepEqual(problems, []);
});

pageTest("a connection that has stalled is noticed by the heartbeat, and the session goes on", async (t) => {
  const { page, cutter, told } = await openPage(t);
  const stalledAt = performance.now();
  cutter.freeze();
  await page.getByText("not connected: no answer").waitFor();
  const noticedMs = performance.now() - stalledAt;
  assert.ok(noticedMs < 6_000, `noticed after ${noticedMs} ms, two heartbeats are 2,000`);
  await page.locator("#chart line.cut").waitFor({ state: "attached" });
  await told("resumed");
  await isConnected(page);
});

pageTest("a page from another origin is refused at the upgrade; the policy lets nothing else run", async (t) => {
  const { url, page, told } = await openPage(t);
  const elsewhere = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end("<!doctype html><title>elsewhere</title>");
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  t.after(() => elsewhere.close());
  const address = elsewhere.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const other = await openWindow(t, `http://127.0.0.1:${port}`);
  const tries = `Promise.all(["ipc.echo.v1", "ipc.session.v1", undefined].map((protocol) => new Promise((resolve) => {
    const socket = new WebSocket("${url}", protocol ? [protocol] : []);
    socket.onopen = () => resolve("open");
    socket.onclose = ({ code }) => resolve(code);
  })))`;
  assert.deepEqual(await other.page.evaluate(tries), [1006, 1006, 1006]);
  const { status, reason } = await told("refused", 3);
  assert.equal(status, 403);
  assert.equal(reason, `pages of 'http://127.0.0.1:${port}' may not ask here: allow it with --allowed-origins`);

  const ran = await page.evaluate(`
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    "ran" in window;
  `);
  assert.equal(ran, false);
});

pageTest("what comes is text, and on a phone nothing is wider than the screen", async (t) => {
  const { page, problems } = await openPage(t, {}, 360);
  const texts = ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "W".repeat(500)];
  for (const text of texts) await send(page, JSON.stringify(text));
  await lines(page, "received")
    .nth(texts.length - 1)
    .waitFor();
  const shown = await page.locator("#messages code").allTextContents();
  assert.deepEqual(new Set(shown), new Set(texts.map((text) => JSON.stringify(text))));
  assert.equal(await page.locator("#messages img, #messages script").count(), 0);
  assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false);
  assert.deepEqual(problems, []);
});

pageTest("all of it works by keyboard, with a visible focus", async (t) => {
  const { page } = await openPage(t);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate("document.activeElement.id"), "cut");
  assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
  await page.keyboard.press("Tab");
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type('"by hand"');
  await page.keyboard.press("Enter");
  await lines(page, "received").getByText('"by hand"').waitFor();
});
