// Drives Chromium over the pages and looks at the PDFs. Every check says what it saw; the first that fails ends the run.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";

const [work, pages] = process.argv.slice(2);
const require = createRequire(`${work}/package.json`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [320, 800, 1600];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
const findings = (name) => JSON.parse(readFileSync(`${pages}/${name}.json`, "utf8"));
const said = (...words) => console.log("  ", ...words);

/** Opens a page and collects everything that it must not do. */
async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("request", (request) => {
    if (!request.url().startsWith("data:") && request.url() !== `file://${pages}/${name}.html`) faults.push(`request ${request.url()}`);
  });
  page.on("console", (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error ${error.message}`));
  page.on("dialog", (dialog) => { faults.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  if (options.javaScriptEnabled !== false) {
    await page.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    });
  }
  const start = Date.now();
  await page.goto(`file://${pages}/${name}.html`, { waitUntil: "load" });
  return { page, faults, opened: Date.now() - start, close: () => context.close() };
}

/** Nothing was asked for, said, refused or run that is not the page's own. Axe and screenshots leave style attributes behind. */
async function isQuiet(page, faults, afterTools = false) {
  assert.deepEqual(faults, []);
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  const strange = await page.evaluate(() => ({
    pwned: "pwned" in window,
    scripts: document.scripts.length,
    handlers: Array.from(document.querySelectorAll("*")).flatMap((node) =>
      Array.from(node.attributes, ({ name }) => name).filter((name) => name.startsWith("on") || name === "style")),
    elements: Array.from(document.querySelectorAll("iframe,object,embed,form,link,base,video,audio,foreignObject"), (node) => node.tagName),
    images: Array.from(document.images, (image) => image.src.slice(0, 22)).filter((src) => src !== "data:image/png;base64,"),
    links: Array.from(document.links, (link) => link.href).filter((href) => !/^(https:\/\/|file:[^#]*#)/.test(href) || href.includes("evil")),
  }));
  if (afterTools) strange.handlers = strange.handlers.filter((name) => name !== "style");
  assert.deepEqual(strange, { pwned: false, scripts: 1, handlers: [], elements: [], images: [], links: [] });
}

/** Axe-core finds no violation. Axe is run beside the page, not by it, so that the page's policy stays in force. */
async function isAccessible(page, what, rules = {}) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate((rules) => axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    rules,
  }), rules);
  const seen = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`).join("\n")}`);
  assert.deepEqual(seen, [], what);
  assert.ok(passes.length > 20, what);
}

async function layoutHolds(page, name) {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    const { overflow, wide } = await page.evaluate(() => ({
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      wide: Array.from(document.querySelectorAll("body *:not(.scroll *, .chart *)"))
        .filter((node) => node.getBoundingClientRect().right > innerWidth + 1 && !node.matches(".skip, svg *"))
        .slice(0, 3).map((node) => node.outerHTML.slice(0, 120)),
    }));
    assert.deepEqual([overflow, wide], [0, []], `${name} at ${width}`);
    await page.screenshot({ path: `${pages}/${name}-${width}.png`, fullPage: name !== "large" });
  }
}

/** Every failure is a row, and the numbers are those of the assessment. */
async function countsAgree(page, name) {
  const report = findings(name);
  const rows = await page.evaluate(() => ({
    failed: document.querySelectorAll(".condition tr.f").length,
    waived: document.querySelectorAll(".condition tr.w").length,
    unknown: Array.from(document.querySelectorAll("tr.u > td.n"), (cell) => Number(cell.textContent)).reduce((sum, count) => sum + count, 0),
    totals: Array.from(document.querySelectorAll("#counts tfoot td"), (cell) => Number(cell.textContent)),
    ids: new Set(Array.from(document.querySelectorAll("[id]"), (node) => node.id)).size === document.querySelectorAll("[id]").length,
    dangling: Array.from(document.querySelectorAll("a[href^='#']")).filter((link) => !document.getElementById(link.hash.slice(1))).length,
  }));
  const { fail, waived, unknown, error, pass, manual, not_checked, not_applicable } = report.counts;
  assert.deepEqual(rows.totals, [fail, waived, unknown, error, pass, manual, not_checked, not_applicable]);
  assert.deepEqual([rows.failed, rows.waived, rows.unknown], [fail, waived, unknown + error]);
  assert.deepEqual([rows.ids, rows.dangling], [true, 0]);
  const words = (await page.evaluate(() => document.body.textContent)).replace(/\s+/g, "");
  for (const finding of report.findings.filter((item) => item.verdict === "fail").slice(0, 2000)) {
    assert.ok(words.includes(finding.rule), finding.rule);
  }
  said(`${fail} failed, ${waived} waived, ${unknown + error} undetermined: all there`);
}

async function filtersWork(page) {
  const visible = () => page.evaluate(() => Array.from(document.querySelectorAll(".condition tr.f, .condition tr.w"))
    .filter((row) => !row.hidden && !row.closest("article").hidden).length);
  const all = await visible();
  const name = await page.evaluate(() => document.querySelector(".condition tr.f > th").textContent);
  const expected = await page.evaluate((name) => Array.from(document.querySelectorAll(".condition tr.f, .condition tr.w"))
    .filter((row) => row.querySelector("th").textContent === name).length, name);
  await page.fill("#filter", name);
  await page.waitForFunction(() => document.querySelector("#status").textContent !== "");
  const shown = await visible();
  assert.ok(shown >= expected && shown <= all && shown > 0, `${shown} of ${all} for ${name}`);
  await page.fill("#filter", "no such text anywhere");
  await page.waitForFunction(() => document.querySelector("#status").textContent.startsWith("0 of"));
  assert.equal(await visible(), 0);
  await page.fill("#filter", "");
  await page.waitForFunction(() => document.querySelector("#status").textContent === "");
  assert.equal(await visible(), all);
  await page.selectOption("#severity", "high");
  const high = await page.evaluate(() => document.querySelectorAll("article[data-severity=high] .condition tr:is(.f, .w)").length);
  assert.equal(await visible(), high);
  await page.selectOption("#severity", "");
  const order = () => page.evaluate(() => Array.from(document.querySelectorAll(".matrix tbody td:last-child"), (cell) => Number(cell.textContent)));
  await page.click(".matrix thead th:last-child button");
  assert.deepEqual(await order(), (await order()).sort((one, other) => other - one));
  await page.click(".matrix thead th:last-child button");
  assert.deepEqual(await order(), (await order()).sort((one, other) => one - other));
  assert.equal(await page.getAttribute(".matrix thead th:last-child", "aria-sort"), "ascending");
  said(`filter: ${shown} of ${all} rows hold "${name.slice(0, 40)}"; ${high} are high`);
}

async function themesWork(page) {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.selectOption("#theme", "light");
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: "light" });
  await page.selectOption("#theme", "dark");
  assert.equal(await ground(), dark);
  await page.emulateMedia({ media: "print" });
  assert.equal(await ground(), light, "paper is light whatever the theme");
  await page.emulateMedia({ media: "screen" });
  await page.selectOption("#theme", "");
  assert.equal(await ground(), light);
}

/** Everything is reached by Tab, in order, is seen to have the focus, and lets go of it. */
async function keyboardWorks(page) {
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  assert.ok(await page.evaluate(() => document.activeElement.getBoundingClientRect().left >= 0), "the skip link is seen");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const reachable = await page.evaluate(() => Array.from(document.querySelectorAll("main :is(a[href], button, summary, [tabindex='0'])"))
    .filter((node) => node.checkVisibility({ contentVisibilityAuto: false }) && !node.closest("details:not([open]) > :not(summary)")).length);
  let reached = 0;
  for (; reached <= reachable; reached++) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const node = document.activeElement;
      return { inside: Boolean(node.closest("main")), outline: getComputedStyle(node).outlineStyle, what: node.outerHTML.slice(0, 80) };
    });
    if (!focus.inside) break;
    assert.notEqual(focus.outline, "none", focus.what);
  }
  assert.equal(reached, reachable, "Tab reaches everything once and leaves the page");
  const fold = await page.locator("main details:not([open]) > summary").first().elementHandle();
  await fold.focus();
  await page.keyboard.press("Enter");
  assert.ok(await fold.evaluate((node) => node.parentElement.open));
  await page.keyboard.press("Space");
  assert.ok(await fold.evaluate((node) => !node.parentElement.open));
  said(`keyboard: ${reachable} stops`);
}

/** Without JavaScript the page says the same. */
async function worksWithoutScript(name) {
  const { page, faults, close } = await open(name, { javaScriptEnabled: false });
  assert.equal(await page.locator("#tools").isVisible(), false);
  const { fail, waived } = findings(name).counts;
  assert.equal(await page.locator(".condition tr:is(.f, .w)").count(), fail + waived);
  assert.deepEqual(faults, []);
  await close();
}

/** What must be found again on paper: headings, heads of tables, and the condition at every target. */
let printed = null;
async function whatIsPrinted(page) {
  return page.evaluate(() => {
    const bare = (node) => node.textContent.replace(/\s+/g, "");
    const all = (selector) => Array.from(document.querySelectorAll(selector), bare).filter((text) => text);
    return { heads: all("h2, h3, caption, .ref, thead tr, details:has(> pre) > summary"), rows: all(".condition tr:is(.f, .w) th, .condition tr.g th, .condition q, .records") };
  });
}

for (const name of ["acme", "hostile", "live", "acme-executive", "acme-engineer"]) {
  console.log(name);
  const { page, faults, close } = await open(name);
  const whole = ["acme", "hostile", "live"].includes(name);
  await isQuiet(page, faults);
  if (whole) await countsAgree(page, name);
  if (name === "live") printed = await whatIsPrinted(page);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ media: "screen", colorScheme });
    await isAccessible(page, `${name} ${colorScheme}`);
  }
  await page.emulateMedia({ media: "print" });
  // Nobody points at paper.
  await isAccessible(page, `${name} print`, { "target-size": { enabled: false } });
  await page.emulateMedia({ media: "screen", colorScheme: "light" });
  await layoutHolds(page, name);
  await page.setViewportSize({ width: WIDTHS[0], height: 900 });
  await isAccessible(page, `${name} on a narrow screen`);
  await page.setViewportSize({ width: 1280, height: 900 });
  if (whole) {
    await keyboardWorks(page);
    await filtersWork(page);
    await themesWork(page);
  }
  await page.evaluate(() => document.querySelectorAll("details").forEach((fold) => { fold.open = true; }));
  await isAccessible(page, `${name} unfolded`);
  await isQuiet(page, faults, true);
  await close();
  if (whole) await worksWithoutScript(name);
}

console.log("large");
{
  const { page, faults, opened, close } = await open("large");
  const size = statSync(`${pages}/large.html`).size;
  const total = findings("large").counts;
  await countsAgree(page, "large");
  const filtered = await page.evaluate(async () => {
    const filter = document.querySelector("#filter");
    const start = performance.now();
    filter.value = "d000777.example";
    filter.dispatchEvent(new Event("input"));
    await new Promise((resolve) => {
      const look = () => (document.querySelector("#status").textContent ? requestAnimationFrame(resolve) : setTimeout(look, 5));
      look();
    });
    return performance.now() - start;
  });
  said(`${total.fail} failures, ${(size / 1e6).toFixed(1)} MB, opened in ${opened} ms, filtered in ${Math.round(filtered)} ms`);
  assert.ok(size < 15e6, "size");
  assert.ok(total.fail >= 60_000 || total.fail + total.unknown >= 60_000, `${total.fail}`);
  // The aim is two seconds each; machines that are shared get more before the test fails.
  assert.ok(opened < 10_000 && filtered < 10_000, "time");
  await layoutHolds(page, "large");
  await isQuiet(page, faults, true);
  await close();
}
await browser.close();

for (const printer of ["chromium", "weasyprint"]) {
  console.log(`PDF by ${printer}`);
  const file = `${pages}/live-${printer}.pdf`;
  const run = (...command) => execFileSync(command[0], command.slice(1), { encoding: "utf8", maxBuffer: 1 << 28 });
  const info = run("pdfinfo", file);
  assert.match(info, /^Tagged: +yes$/m);
  assert.match(info, /^Title: +E-mail infrastructure audit: careless\.example$/m);
  const count = Number(/^Pages: +(\d+)$/m.exec(info)[1]);
  const text = run("pdftotext", "-layout", file, "-").split("\f").slice(0, count);
  assert.equal(text.length, count);
  const digest = run("sha256sum", `${pages}/snapshot.jsonl`).slice(0, 64);
  text.forEach((page, index) => {
    assert.ok(page.includes(`Page ${index + 1} of ${count}`), `page ${index + 1} is numbered`);
    assert.ok(page.includes(digest), `page ${index + 1} carries the digest`);
    const lines = page.split("\n").filter((line) => line.trim());
    assert.ok(index === 0 || lines.length >= 4, `page ${index + 1} has a body: ${lines.join("|")}`);
    // The last line above the foot must not be a heading, a caption or the head of a table, nor the end of one.
    const bare = lines.map((line) => line.replace(/\s+/g, ""));
    const ends = [bare.at(-2) ?? "", `${bare.at(-3) ?? ""}${bare.at(-2) ?? ""}`];
    const alone = printed.heads.find((head) => head === ends[0] || head === ends[1] || head.endsWith(ends[1]));
    assert.ok(index === 0 || !alone, `page ${index + 1} ends with ${alone}`);
  });
  // In the order of the document, so that what stands side by side is not mixed.
  const words = run("pdftotext", "-raw", file, "-").replace(/\s+/g, "");
  for (const row of printed.rows) assert.ok(words.includes(row), `lost on paper: ${row}`);
  const report = findings("live");
  const titles = new Map(report.rules.map((rule) => [rule.id, rule.title]));
  for (const finding of report.findings.filter((item) => item.verdict === "fail")) {
    assert.ok(words.includes(finding.rule.replace(/\s+/g, "")), finding.rule);
    assert.ok(words.includes(titles.get(finding.rule).replace(/[\s`]+/g, "")), titles.get(finding.rule));
  }
  said(`${count} pages; all of ${printed.rows.length} cells of findings are there, no heading stands alone`);
}
console.log("the reports hold in the browser and on paper");
