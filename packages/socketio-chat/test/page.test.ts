import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import test, { after, type TestContext } from "node:test";
import { CHROMIUM_ARGS, findChromium } from "@ipc/core/browser";
import { until } from "@ipc/core/testing";
import { type Browser, chromium, type Page } from "playwright-core";
import { startServer } from "../src/index.ts";
import { come, serve, startCable } from "./support.ts";

const timeout = 90_000;
const executablePath = await findChromium();
let browser: Promise<Browser> | undefined;
after(async () => await (await browser)?.close());

/** A test in a real browser; skipped by name where there is none. */
function pageTest(name: string, run: (t: TestContext) => Promise<void>) {
  test(name, { timeout }, async (t) => {
    if (executablePath === undefined) return t.skip("needs chromium");
    await run(t);
  });
}

/** A window of its own on a page; `problems` is what the browser complains of. */
async function openWindow(t: TestContext, url: string, options: { width?: number; dark?: boolean } = {}) {
  browser ??= chromium.launch({ executablePath: executablePath ?? "", args: [...CHROMIUM_ARGS] });
  const context = await (await browser).newContext({
    viewport: { width: options.width ?? 1280, height: 800 },
    colorScheme: options.dark ? "dark" : "light",
  });
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems: string[] = [];
  page.on("pageerror", ({ message }) => problems.push(message));
  page.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    // A connection that fails is shown in the console; that it fails is what some tests are about.
    if (message.type() === "error" && !/connection|ERR_CONNECTION/i.test(message.text())) problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}

async function enter(page: Page, name: string) {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.keyboard.press("Enter");
  await page.locator("#connection.on").waitFor();
}

async function write(page: Page, text: string) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

const said = (page: Page, text: string) =>
  page.locator(".message:not(.pending) .text").getByText(text, { exact: true });

pageTest("two windows chat: names, people, typing, private messages, rooms and what is unread in them", async (t) => {
  const { url } = await serve(t);
  const [{ page: one, problems }, { page: two, problems: others }] = [
    await openWindow(t, url),
    await openWindow(t, url),
  ];
  await enter(one, "Ann");
  await two.getByLabel("Name", { exact: true }).fill("ann");
  await two.keyboard.press("Enter");
  await two.getByText("There is somebody called ann in this room: take another name.").waitFor();
  await enter(two, "Bob");
  await one.locator(".note").getByText("Bob has joined the chat!").waitFor();
  await one.locator("#people").getByText("Bob").waitFor();

  await two.getByLabel("Message", { exact: true }).pressSequentially("Good");
  await one.getByText("Bob is typing…").waitFor();
  await write(two, "Good day!");
  await said(one, "Good day!").waitFor();
  await said(two, "Good day!").waitFor();
  await one.locator("#typing:empty").waitFor({ state: "attached" });
  await write(one, "Two\nlines");

  await one.locator("#people").getByRole("button", { name: "Bob" }).click();
  await write(one, "psst");
  await two.locator(".private").getByText("psst", { exact: true }).waitFor();
  await one.locator("#recipient").click();

  await two.getByLabel("Another room").fill("garden");
  await two.keyboard.press("Enter");
  await two.getByRole("heading", { name: "# garden" }).waitFor();
  await write(one, "Where are you?");
  await two.getByRole("button", { name: "# lobby 1 unread" }).waitFor();
  assert.equal(await two.title(), "(1) Chat");
  await two.getByRole("button", { name: "# lobby" }).click();
  await said(two, "Where are you?").waitFor();
  assert.equal(await two.title(), "Chat");
  await two.getByRole("button", { name: "Leave garden" }).click();
  assert.equal(await two.locator("#rooms li").count(), 1);
  assert.deepEqual([...problems, ...others], []);
});

pageTest("a reload keeps name, room and history, and nobody hears of it", async (t) => {
  const { url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const { page, problems } = await openWindow(t, url);
  await enter(page, "Bob");
  await write(page, "before");
  await said(page, "before").waitFor();
  await page.reload();
  await said(page, "before").waitFor();
  await page.locator("#me").getByText("Bob").waitFor();
  await write(page, "after");
  await said(page, "after").waitFor();
  await until(() => ann.texts().length === 2);
  const notices = ann.events.flatMap((event) => (event.type === "notice" ? event.notice.text : []));
  assert.deepEqual(notices.slice(2), ["Bob has joined the chat!"]);
  assert.deepEqual(problems, []);
});

pageTest("the connection is cut: a banner, then what was missed and what was written meanwhile", async (t) => {
  const { server, url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const cable = await startCable(t, url);
  const { page, problems } = await openWindow(t, cable.url);
  await enter(page, "Bob");
  await ann.client.say("before");
  await said(page, "before").waitFor();
  cable.block();
  await page.getByText("The connection is lost.").waitFor();
  await ann.client.say("missed one");
  await ann.client.say("missed two");
  await write(page, "written meanwhile");
  await page.locator(".pending:not(.private)").getByText("written meanwhile").waitFor();
  cable.unblock();
  await page.getByText("Back again: 2 messages came meanwhile.").waitFor();
  await said(page, "written meanwhile").waitFor();
  await page.getByText("The connection is lost.").waitFor({ state: "hidden" });
  assert.equal(await page.locator(".pending").count(), 0);
  assert.deepEqual(await page.locator(".text").allTextContents(), [
    "before",
    "missed one",
    "missed two",
    "written meanwhile",
  ]);

  // The same with a server that has forgotten everything.
  await server.close();
  await page.getByText("The connection is lost.").waitFor();
  const second = await startServer({ port: Number(new URL(url).port) });
  t.after(() => second.close());
  await page.getByText("The history was lost: the server has started anew.").waitFor();
  assert.deepEqual(problems, []);
});

pageTest("text from people is text: in messages, names, rooms and notes; no script of it runs", async (t) => {
  const { url } = await serve(t, { maxEventsPerSecond: 1_000 });
  const eve = await come(t, url, { name: "<img onerror=alert(1)>" });
  const { page, problems } = await openWindow(t, url);
  await enter(page, "<b>Bob</b>");
  const shapes = [
    "<img src=x onerror=alert(#)>",
    "<script>alert(#)</script>",
    "<svg onload=alert(#)>",
    "<iframe srcdoc='<script>alert(#)</script>'>",
    "javascript:alert(#)",
    "&lt;b&gt;#",
    "{{7*#}}",
    "<a href='javascript:alert(#)'>x</a>",
    "</li></ol><h1>#</h1>",
    "\u202e#<b>",
  ];
  const texts = Array.from({ length: 50 }, (_, index) =>
    (shapes[index % shapes.length] ?? "").replace("#", `${index}`),
  );
  for (const text of texts) await eve.client.say(text);
  await eve.client.whisper("<b>Bob</b>", "<img src=x onerror=alert(2)>");
  await eve.client.say("last");
  await said(page, "last").waitFor();
  assert.deepEqual(await page.locator(".text").allTextContents(), [...texts, "<img src=x onerror=alert(2)>", "last"]);
  assert.equal(await page.locator(".text *, .name *, .note *").count(), 0);
  eve.client.typing(true);
  await page.getByText("<img onerror=alert(1)> is typing…").waitFor();
  // The policy holds for whoever finds a way all the same.
  const ran = await page.evaluate(`
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    "ran" in window;
  `);
  assert.equal(ran, false);
  assert.ok(
    problems.every((problem) => /Content Security Policy/i.test(problem)),
    problems.join("\n"),
  );
});

pageTest("all of it works by keyboard, with a visible focus, and is said to screen readers", async (t) => {
  const { url } = await serve(t);
  const ann = await come(t, url, { name: "Ann" });
  const { page } = await openWindow(t, url);
  await page.getByRole("dialog", { name: "What is your name?" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.type("Bob");
  await page.keyboard.press("Enter");
  await page.locator("#connection.on").waitFor();
  assert.equal(await page.evaluate("document.activeElement.id"), "text", "one can write at once");
  assert.equal(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("alone");
  await page.keyboard.press("Enter");
  await until(() => ann.texts()[0] === "by keyboard\nalone");

  await page.locator("#people button").focus();
  await ann.client.say("the focus stays");
  await said(page, "the focus stays").waitFor();
  await come(t, url, { name: "Eve" });
  await page.locator("#people").getByText("Eve").waitFor();
  assert.equal(await page.evaluate("document.activeElement.textContent"), "Ann");
  await page.keyboard.press("Enter");
  await page.keyboard.type("to you");
  await page.keyboard.press("Enter");
  assert.equal((await ann.saw("whisper")).whisper.text, "to you");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#recipient").isHidden(), true);

  await page.getByRole("log", { name: "Messages" }).waitFor();
  await page.getByRole("navigation", { name: "Rooms" }).waitFor();
  await page.getByRole("status").getByText("connected").waitFor();
  assert.equal(await page.locator("#messages").getAttribute("aria-live"), "polite");
});

for (const [width, dark] of [
  [360, false],
  [360, true],
  [1280, true],
] as const) {
  pageTest(`at ${width} px${dark ? ", dark," : ""} nothing is wider than the screen, and one can write`, async (t) => {
    const { url } = await serve(t);
    const ann = await come(t, url, { name: "W".repeat(32) });
    const { page, problems } = await openWindow(t, url, { width, dark });
    await enter(page, "M".repeat(32));
    await ann.client.say("W".repeat(1_000));
    for (let index = 0; index < 12; index++) await ann.client.say(`line ${index} `.repeat(10));
    await said(page, "W".repeat(1_000)).waitFor();
    for (const room of ["r".repeat(32), "garden", "kitchen"]) {
      await page.getByLabel("Another room").fill(room);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: `# ${room}`, includeHidden: true }).waitFor({ state: "attached" });
    }
    await page.getByRole("button", { name: "# lobby" }).click();
    if (width < 500) await page.getByText("People").click();
    assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false);
    const send = await page.getByRole("button", { name: "Send" }).boundingBox();
    assert.ok(send && send.x + send.width <= width && send.y + send.height <= 800, JSON.stringify(send));
    assert.ok(
      await page.evaluate("messages.scrollTop + messages.clientHeight > messages.scrollHeight - 50"),
      "at the end",
    );
    await page.evaluate("messages.scrollTop = 0; new Promise(requestAnimationFrame)");
    await ann.client.say("news");
    await page.getByRole("button", { name: "1 new message" }).click();
    await said(page, "news").waitFor();
    await page.getByRole("button", { name: "1 new message" }).waitFor({ state: "hidden" });
    assert.deepEqual(problems, []);
  });
}

pageTest("a page elsewhere reaches nothing: not by polling, not by WebSocket", async (t) => {
  const { url, events } = await serve(t);
  const elsewhere = createServer((_request, response) => response.end("<!doctype html><title>elsewhere</title>"));
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  t.after(() => elsewhere.close());
  const { page } = await openWindow(t, `http://localhost:${(elsewhere.address() as AddressInfo).port}`);
  const path = `${url}/socket.io/?EIO=4&transport`;
  const reached = await page.evaluate(`
    Promise.all([
      fetch("${path}=polling").then(() => "polling", () => "refused"),
      fetch("${path}=polling", { method: "POST", mode: "no-cors", body: "40" }).then(({ type }) => type, () => "refused"),
      new Promise((resolve) => {
        const socket = new WebSocket("${path.replace("http", "ws")}=websocket");
        socket.onopen = () => resolve("websocket");
        socket.onerror = () => resolve("refused");
      }),
    ])
  `);
  assert.deepEqual(reached, ["refused", "opaque", "refused"], "what came back cannot be read");
  const statuses = events.flatMap((event) => (event.type === "refused" ? event.status : []));
  assert.deepEqual(statuses, [403, 403, 403]);
});
