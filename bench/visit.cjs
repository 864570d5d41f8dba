// Opens pages in Chromium and says what was seen: JSON lines on standard input, each a visit; a JSON line for each.
// A visit is {page, theme?, size?, steps: [[what, ...]]}; what a step sees is in `seen`, in the order of the steps.
"use strict";
const fs = require("fs");
const readline = require("readline");
const { chromium } = require("playwright-core");

const AXE = require.resolve("axe-core");

async function step(page, [what, ...said]) {
  switch (what) {
    case "text": return page.innerText(said[0]);
    case "evaluate": return page.evaluate(said[0]);
    case "fill": return page.fill(said[0], said[1]);
    case "click": return page.click(said[0]);
    case "select": return page.selectOption(said[0], said[1]);
    case "press": return page.keyboard.press(said[0]);
    case "go": return page.evaluate((hash) => { location.hash = hash; }, said[0]).then(() => page.waitForTimeout(50));
    case "focused": return page.evaluate(() => [document.activeElement.tagName, document.activeElement.textContent.slice(0, 80)]);
    case "screenshot": return page.screenshot({ path: said[0], fullPage: Boolean(said[1]) }).then(() => null);
    case "print": return page.emulateMedia({ media: "print" });
    case "search": return page.evaluate(search, said[0]);
    case "axe": {
      if (!(await page.evaluate(() => "axe" in window))) await page.evaluate((source) => { (0, eval)(source); }, fs.readFileSync(AXE, "utf8"));
      const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
      return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 5).join("; ")}`);
    }
    default: throw new Error(`no such step: ${what}`);
  }
}

// How many rows each of the texts leaves in the list, and how long the slowest took.
function search(texts) {
  const input = document.getElementById("search");
  let slowest = 0;
  const left = texts.map((one) => {
    input.value = one;
    input.dispatchEvent(new Event("input"));
    slowest = Math.max(slowest, window.measured.filter);
    return Number(document.getElementById("total").textContent.split(" ")[0]);
  });
  return { left, slowest };
}

// A new profile with its process takes a second of CPU. With AMLGUARD_KEEP_TABS visits of the same kind follow one another in one.
const tabs = process.env.AMLGUARD_KEEP_TABS ? new Map() : null;

async function opened(browser, one) {
  const [width, height] = one.size || [1280, 900];
  const how = { viewport: { width, height }, bypassCSP: Boolean(one.bypass) };
  const kind = JSON.stringify(how);
  const page = (tabs && tabs.get(kind)) || (await (await browser.newContext(how)).newPage());
  if (tabs) tabs.set(kind, page);
  await page.emulateMedia({ colorScheme: one.theme || "light", media: null });
  return page;
}

// An empty page follows, so that no large one is laid out anew for the next visit's media.
async function left(page) {
  if (!tabs) return page.context().close();
  page.removeAllListeners();
  await page.goto("about:blank");
}

async function visit(browser, one) {
  const page = await opened(browser, one);
  const console_ = [], requests = [];
  page.on("console", (message) => console_.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => console_.push(`error: ${error.message}`));
  page.on("request", (request) => requests.push(request.url()));
  try {
    const began = Date.now();
    await page.goto(`file://${one.page}`);
    await page.waitForSelector("body[data-ready]");
    const loaded = (Date.now() - began) / 1000;
    const seen = [];
    for (const each of one.steps) seen.push(await step(page, each));
    return { loaded, console: console_, requests: requests.slice(1), seen };
  } finally {
    await left(page);
  }
}

(async () => {
  const browser = await chromium.launch({ executablePath: process.env.AMLGUARD_CHROMIUM, args: ["--no-sandbox"] });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (!line.trim()) continue;
    try {
      process.stdout.write(JSON.stringify(await visit(browser, JSON.parse(line))) + "\n");
    } catch (error) {
      process.stdout.write(JSON.stringify({ error: String(error.stack) }) + "\n");
    }
  }
  await browser.close();
})();
