import assert from "node:assert/strict";
import test, { after, describe, type TestContext } from "node:test";
import { CHROMIUM_ARGS, findChromium } from "@ipc/core/browser";
import { type Browser, chromium, type Page } from "playwright-core";
import { ask, draft, serve, TOKEN } from "./support.ts";

const timeout = 90_000;
const emma = { id: "emma", ...draft("Emma") };

const executablePath = await findChromium();
let browser: Promise<Browser> | undefined;
after(async () => await (await browser)?.close());

/** A window on a server of its own; `problems` is what the browser complains of. */
async function open(t: TestContext, options: { width?: number } = {}) {
  const { url } = await serve(t, { firstBooks: [emma] });
  const problems: string[] = [];
  const openWindow = async () => {
    browser ??= chromium.launch({ executablePath: executablePath ?? "", args: [...CHROMIUM_ARGS] });
    const context = await (await browser).newContext({ viewport: { width: options.width ?? 1280, height: 800 } });
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("request", (request) => {
      if (!/^data:/.test(request.url()) && !request.url().startsWith(`${url}/`)) problems.push(`asks ${request.url()}`);
    });
    page.on("pageerror", ({ message }) => problems.push(message));
    page.on("dialog", (dialog) => {
      problems.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      // A refused request is shown in the console; that it is refused is what the test is about.
      if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) problems.push(message.text());
    });
    await page.goto(url);
    await page.locator("#live.on").waitFor();
    await bookOf(page, "Emma").waitFor();
    return page;
  };
  return { url, problems, openWindow, page: await openWindow() };
}

/** By how much a colour of an element differs from what is behind it, as WCAG 2.2 has it; runs in the page. */
const contrast = `(element, property) => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [red, green, blue] = parts(color).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const isClear = (node) => (parts(getComputedStyle(node).backgroundColor)[3] ?? 1) === 0;
  let behind = property === "color" ? element : element.parentElement;
  while (isClear(behind)) behind = behind.parentElement;
  const [low, high] = [getComputedStyle(element)[property], getComputedStyle(behind).backgroundColor]
    .map(light)
    .sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}`;

const bookOf = (page: Page, title: string) => page.locator(".book", { has: page.getByText(title, { exact: true }) });

const field = (page: Page, name: string) => page.locator(`#editor [name=${name}]`);

/** A test in a real browser; skipped by name where there is none. */
function pageTest(name: string, run: (t: TestContext) => Promise<void>) {
  test(name, { timeout }, async (t) => {
    if (executablePath === undefined) return t.skip("needs chromium");
    await run(t);
  });
}

describe("the page in Chromium, several windows at once", { concurrency: 3 }, () => {
  pageTest("a book is added, edited and found, and a second window sees it by itself", async (t) => {
    const { page, openWindow, problems, url } = await open(t);
    const second = await openWindow();
    await page.getByRole("button", { name: "Add a book" }).click();
    await field(page, "title").fill("Nightwood");
    await field(page, "author").fill("Djuna Barnes");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("First published is missing.").waitFor();
    assert.equal(await field(page, "year").getAttribute("aria-invalid"), "true");
    await field(page, "year").fill("1936");
    await page.getByLabel("4 stars").check({ force: true });
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("#editor").waitFor({ state: "hidden" });
    await bookOf(page, "Nightwood").waitFor();
    await bookOf(second, "Nightwood").waitFor();
    assert.equal((await ask(`${url}/books/nightwood`)).body.rating, 4);

    await bookOf(second, "Nightwood").click();
    await field(second, "status").selectOption("reading");
    await second.getByRole("button", { name: "Save" }).click();
    await bookOf(page, "Nightwood").getByText("reading").waitFor();

    await page.getByLabel("Search").fill("BÄRNES");
    await page.getByText("1 book", { exact: true }).waitFor();
    await page.getByLabel("Search").fill("");
    await page.getByText("To read", { exact: true }).first().click();
    await bookOf(page, "Nightwood").waitFor({ state: "detached" });
    await bookOf(page, "Emma").waitFor();
    assert.deepEqual(problems, []);
  });

  pageTest("two people edit the same book: the second sees theirs and mine, and chooses", async (t) => {
    const { page, openWindow, problems, url } = await open(t);
    const second = await openWindow();
    await bookOf(page, "Emma").click();
    await bookOf(second, "Emma").click();
    await field(page, "notes").fill("mine");
    await field(page, "author").fill("Jane Austen");
    await field(second, "notes").fill("theirs");
    await field(second, "year").fill("1815");
    await second.getByRole("button", { name: "Save" }).click();
    await second.locator("#editor").waitFor({ state: "hidden" });
    await page.getByText("Somebody has just changed this book").waitFor();

    await page.getByRole("button", { name: "Save" }).click();
    const conflict = page.locator("#conflict");
    await conflict.getByText("theirs", { exact: true }).waitFor();
    await conflict.getByText("mine", { exact: true }).waitFor();
    assert.equal(await conflict.locator("fieldset").count(), 1, "only what both have changed");
    await conflict.getByRole("button", { name: "Save my choice" }).click();
    await page.locator("#editor").waitFor({ state: "hidden" });
    const saved = (await ask(`${url}/books/emma`)).body;
    assert.deepEqual([saved.notes, saved.author, saved.year], ["mine", "Jane Austen", 1815], "merged, mine chosen");

    // Once more, and theirs is kept.
    await bookOf(page, "Emma").click();
    await field(page, "notes").fill("mine again");
    await ask(`${url}/books/emma`, { method: "PATCH", body: { notes: "theirs again" }, headers: { "if-match": "*" } });
    await page.getByRole("button", { name: "Save" }).click();
    await conflict.waitFor();
    await page.keyboard.press("Escape");
    await conflict.waitFor({ state: "hidden" });
    assert.equal(await field(page, "notes").inputValue(), "mine again", "Escape leads back, nothing typed is lost");
    await page.getByRole("button", { name: "Save" }).click();
    await conflict.getByRole("button", { name: "Keep theirs" }).click();
    await page.locator("#editor").waitFor({ state: "hidden" });
    assert.equal((await ask(`${url}/books/emma`)).body.notes, "theirs again");
    assert.deepEqual(problems, []);
  });

  pageTest("a book is deleted, here and in the second window, and comes back by Undo", async (t) => {
    const { page, openWindow, problems, url } = await open(t);
    const second = await openWindow();
    await bookOf(page, "Emma").click();
    await page.getByRole("button", { name: "Delete" }).click();
    await bookOf(page, "Emma").waitFor({ state: "detached" });
    await bookOf(second, "Emma").waitFor({ state: "detached" });
    assert.equal((await ask(`${url}/books/emma`)).status, 404);
    await page.getByRole("button", { name: "Undo" }).click();
    await bookOf(page, "Emma").waitFor();
    await bookOf(second, "Emma").waitFor();
    assert.equal((await ask(`${url}/books/emma`)).status, 200);
    assert.deepEqual(problems, []);
  });

  pageTest("text from users is text: nothing in it becomes an element, and no script of it runs", async (t) => {
    const { page, problems, url } = await open(t);
    const texts = [
      "<script>alert(1)</script>",
      "<img src=x onerror=alert(1)>",
      "<svg onload=alert(1)>",
      "</button><iframe srcdoc='<script>alert(1)</script>'></iframe>",
      "javascript:alert(1)",
      "&lt;b&gt; &amp; {{7*7}}",
    ];
    for (const text of texts) {
      const body = { ...draft(text), author: text, notes: text };
      assert.equal((await ask(`${url}/books`, { method: "POST", body })).status, 201);
    }
    for (const text of texts) await page.locator("strong").getByText(text, { exact: true }).waitFor();
    assert.deepEqual(
      await page
        .locator(".book strong")
        .allTextContents()
        .then((all) => all.sort()),
      ["Emma", ...texts].sort(),
    );
    assert.equal(await page.locator(".books script, .books img, .books svg, .books iframe, .books b").count(), 0);

    // In the conflict and in the line at the foot, too.
    const evil = texts[1] ?? "";
    await page.locator(".book strong", { hasText: evil }).click();
    await field(page, "notes").fill(`${evil} mine`);
    const { books } = (await ask(`${url}/books?q=onerror`)).body;
    const theirs = { method: "PATCH", body: { notes: `${evil} theirs` }, headers: { "if-match": "*" } };
    await ask(`${url}/books/${books[0].id}`, theirs);
    await page.getByRole("button", { name: "Save" }).click();
    await page.locator("#conflict").getByText(`${evil} theirs`).waitFor();
    await page.getByRole("button", { name: "Keep theirs" }).click();
    await page.locator(".book strong", { hasText: evil }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.locator("#toast").getByText(`Deleted “${evil}”`).waitFor();
    assert.equal(await page.locator("#toast img, #conflict img").count(), 0);

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

  pageTest("all of it works by keyboard, with a visible focus", async (t) => {
    const { page, url } = await open(t);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate("document.activeElement.id"), "add");
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert.equal(outline, "solid");
    await page.keyboard.press("Enter");
    await page.keyboard.type("Nightwood");
    await page.keyboard.press("Tab");
    await page.keyboard.type("Djuna Barnes");
    await page.keyboard.press("Tab");
    await page.keyboard.type("1936");
    await page.keyboard.press("Enter");
    await page.locator("#editor").waitFor({ state: "hidden" });
    await bookOf(page, "Nightwood").waitFor();

    await bookOf(page, "Nightwood").focus();
    await page.keyboard.press("Enter");
    await page.locator("#editor").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#editor").waitFor({ state: "hidden" });
    assert.match((await page.evaluate("document.activeElement.textContent")) ?? "", /Nightwood/, "back where it was");

    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Delete" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Undo" }).waitFor();
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Undo");
    await page.keyboard.press("Enter");
    await bookOf(page, "Nightwood").waitFor();
    assert.equal((await ask(`${url}/books/nightwood`)).status, 200);
  });

  pageTest("texts and the edges of fields stand out enough to be read, also in the dark", async (t) => {
    const { page, problems } = await open(t);
    await bookOf(page, "Emma").click();
    // WCAG 2.2, 1.4.3 and 1.4.11.
    for (const [property, least, selectors] of [
      [
        "color",
        4.5,
        ["h1", "#live", "#add", "#count", ".choice :checked + span", ".book strong", ".by", ".book .status"],
      ],
      [
        "color",
        4.5,
        ["#editor h2", "#editor label", "#editor [name=title]", "#editor [name=remove]", ".buttons .primary"],
      ],
      ["borderColor", 3, ["[name=q]", "[name=sort]", "#editor [name=year]", "#editor [name=notes]"]],
    ] as const) {
      for (const [colorScheme, selector] of selectors.flatMap((one) => [
        ["light", one] as const,
        ["dark", one] as const,
      ])) {
        await page.emulateMedia({ colorScheme });
        const ratio = await page.evaluate<number>(
          `(${contrast})(document.querySelector("${selector}"), "${property}")`,
        );
        assert.ok(ratio >= least, `${property} of ${selector} in ${colorScheme} mode: ${ratio}`);
      }
    }
    assert.deepEqual(problems, []);
  });

  pageTest("on a phone nothing is wider than the screen, however long the words", async (t) => {
    const { page, url, problems } = await open(t, { width: 360 });
    const body = { ...draft("W".repeat(200)), author: "A".repeat(200), notes: "N".repeat(2_000), rating: 5 };
    await ask(`${url}/books`, { method: "POST", body });
    const isTooWide = () => page.evaluate("document.documentElement.scrollWidth > innerWidth");
    await bookOf(page, "W".repeat(200)).waitFor();
    assert.equal(await isTooWide(), false);
    await bookOf(page, "W".repeat(200)).click();
    assert.equal(await isTooWide(), false);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Undo" }).waitFor();
    assert.equal(await isTooWide(), false);
    assert.deepEqual(problems, []);
  });

  pageTest("with a token: the browser asks for it, and the page, its list and its changes work", async (t) => {
    const { url } = await serve(t, { token: TOKEN, firstBooks: [emma] });
    browser ??= chromium.launch({ executablePath: executablePath ?? "", args: [...CHROMIUM_ARGS] });
    const openWindow = async (password: string) => {
      const context = await (await browser)?.newContext({ httpCredentials: { username: "anybody", password } });
      t.after(() => context?.close());
      const page = await context?.newPage();
      return { page, response: await page?.goto(url) };
    };
    assert.equal((await openWindow(`${TOKEN}x`)).response?.status(), 401);
    const { page, response } = await openWindow(TOKEN);
    assert.equal(response?.status(), 200);
    if (!page) return assert.fail("no page");
    await page.locator("#live.on").waitFor();
    await bookOf(page, "Emma").click();
    await field(page, "author").fill("Jane Austen");
    await page.getByRole("button", { name: "Save" }).click();
    await bookOf(page, "Emma").getByText("Jane Austen").waitFor();
    const headers = { authorization: `Bearer ${TOKEN}` };
    await ask(`${url}/books`, { method: "POST", body: draft("Nightwood"), headers });
    await bookOf(page, "Nightwood").waitFor();
  });

  pageTest(
    "the page says when the server is gone, and comes back by itself; the docs run under their policy",
    async (t) => {
      const { url, server } = await serve(t, { firstBooks: [emma] });
      browser ??= chromium.launch({ executablePath: executablePath ?? "", args: [...CHROMIUM_ARGS] });
      const context = await (await browser).newContext();
      t.after(() => context.close());
      const page = await context.newPage();
      const refused: string[] = [];
      page.on("console", (message) => {
        if (/Content Security Policy/i.test(message.text())) refused.push(message.text());
      });
      await page.goto(`${url}/docs`);
      await page.getByText("Add a book; the server chooses its id").waitFor();
      assert.deepEqual(refused, []);

      await page.goto(url);
      await page.locator("#live.on").waitFor();
      await server.close();
      await page.getByText("not connected, trying again").waitFor();
      await page.setViewportSize({ width: 360, height: 740 });
      assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false);
      await page.getByRole("button", { name: "Add a book" }).click();
      await field(page, "title").fill("Nightwood");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText("The server does not answer. Is it running?").waitFor();
      await serve(t, { firstBooks: [emma, { id: "new", ...draft("Newcomer") }], port: Number(new URL(url).port) });
      await page.locator("#live.on").waitFor();
      await bookOf(page, "Newcomer").waitFor();
    },
  );
});
