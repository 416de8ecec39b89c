// The page in a real browser, against the server at BASE_URL (jarvis serve with the model "penguins"), or against the
// fixture when there is none. MODEL names another model, ROWS its file of rows, OUT a folder for the numbers to compare,
// SCREENSHOTS a folder for pictures.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCSV } from "../src/batch/csv.js";
import { launch, open, violations } from "./browser.js";
import { startFixture } from "./fixture.js";

const name = process.env["MODEL"] ?? "penguins";
const rowsFile = process.env["ROWS"] ?? join(import.meta.dirname, "../../testdata/penguins/penguins.csv");
const pictures = process.env["SCREENSHOTS"];

let base = process.env["SERVER_URL"] ?? "";
let browser: Browser;
let closeServer: () => Promise<void> = async () => undefined;

beforeAll(async () => {
  if (!base) {
    const fixture = await startFixture({ penguins: join(import.meta.dirname, "testdata/penguins.onnx") });
    base = fixture.url;
    closeServer = fixture.close;
  }
  base = base.replace(/\/$/, "");
  browser = await launch();
});

afterAll(async () => {
  await browser?.close();
  await closeServer();
});

test("the list leads to a model", async () => {
  const { page, complaints } = await open(browser);
  await page.goto(base);
  await page.getByRole("link", { name: new RegExp(name) }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  expect(new URL(page.url()).pathname).toBe(`/model/${name}`);
  expect(await page.title()).toBe(`${name} · Jarvis`);
  expect(complaints).toEqual([]);
  await page.close();
});

describe("one row", () => {
  test("the example is answered in the page and on the server, alike", async () => {
    const { page, complaints } = await open(browser);
    await page.goto(`${base}/model/${name}`);
    const here = page.getByTestId("answer-page").getByTestId("label");
    await here.waitFor();
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    const badge = page.getByTestId("agreement");
    await expect.poll(() => badge.getAttribute("data-state")).toBe("agree");
    expect(Number(await badge.getAttribute("data-difference"))).toBeLessThanOrEqual(1e-5);
    expect(await page.getByTestId("answer-server").getByTestId("label").textContent()).toBe(await here.textContent());
    for (const side of ["page", "server"]) expect(await page.getByTestId(`${side}-latency`).textContent()).toMatch(/^\d[\d.]* (µs|ms|s)$/);
    // Isolated, so that latencies are measured with a clock of 5 µs.
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("works by keyboard alone, and the page follows while one types", async () => {
    const { page } = await open(browser);
    await page.goto(`${base}/model/${name}`);
    const number = page.locator("form input[inputmode=decimal]").first();
    await number.waitFor();
    const shares = () => page.getByTestId("answer-page").locator("dd").evaluateAll((all) => all.map((one) => one.getAttribute("data-probability")).join());
    await expect.poll(shares).not.toBe("");
    const before = await shares();
    await number.focus();
    for (let i = 0; i < 15; i++) await page.keyboard.press("ArrowUp");
    await expect.poll(shares).not.toBe(before);
    await page.keyboard.press("Enter");
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state")).toBe("agree");
    await page.close();
  });

  test("missing values and a category that training never saw are predicted alike", async () => {
    const { page } = await open(browser);
    await page.goto(`${base}/model/${name}`);
    await page.getByRole("button", { name: /is missing$/ }).first().waitFor();
    for (const toggle of await page.getByRole("button", { name: /is missing$/ }).all()) await toggle.click();
    const category = page.locator("form input[role=combobox], form input[aria-haspopup=listbox]").first();
    if ((await category.count()) > 0) {
      await page.getByRole("button", { name: /is missing$/ }).first().click();
      if (await category.isEnabled()) {
        await category.fill("Atlantis");
        await page.getByText("not seen in training").waitFor();
        await page.keyboard.press("Escape");
      }
    }
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state")).toBe("agree");
    await page.close();
  });

  test("a wrong value is named at its field, and nothing is sent", async () => {
    const { page } = await open(browser);
    let sent = 0;
    await page.route("**/predict?*", (route) => {
      sent++;
      return route.continue();
    });
    await page.goto(`${base}/model/${name}`);
    const number = page.locator("form input[inputmode=decimal]").first();
    await number.fill("");
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    await page.getByText("Enter a value, or mark it as missing").waitFor();
    expect(await number.getAttribute("aria-invalid")).toBe("true");
    expect(await number.evaluate((input) => input === document.activeElement)).toBe(true);
    expect(sent).toBe(0);
    await page.close();
  });

  test("a problem of the server stands at the field that it names", async () => {
    const { page } = await open(browser);
    await page.goto(`${base}/model/${name}`);
    const label = page.locator("form label").first();
    await label.waitFor();
    const field = (await label.textContent()) ?? "";
    await page.route("**/predict?*", (route) =>
      route.fulfill({
        status: 422,
        contentType: "application/problem+json",
        body: JSON.stringify({ detail: "refused", code: "invalid", hint: "try another", errors: [{ location: `rows[0].${field}`, message: "is odd" }] }),
      }),
    );
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    await page.locator(".field", { has: page.locator("label", { hasText: field }) }).first().getByText("Is odd").waitFor();
    await page.getByTestId("answer-server").getByText("Try another.").waitFor();
    expect(await page.getByTestId("answer-page").getByTestId("label").count()).toBe(1);
    await page.close();
  });

  test("without the server the page goes on alone and says so", async () => {
    const { page } = await open(browser);
    await page.goto(`${base}/model/${name}`);
    await page.getByTestId("answer-page").getByTestId("label").waitFor();
    await page.route(/\/(api|models)\//, (route) => route.abort());
    const number = page.locator("form input[inputmode=decimal]").first();
    await number.focus();
    await page.keyboard.press("ArrowUp");
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state")).toBe("alone");
    await page.getByTestId("answer-server").getByText("The server does not answer.").waitFor();
    expect(await page.getByTestId("answer-page").getAttribute("data-stale")).toBe("false");
    await page.getByRole("tab", { name: "Many rows" }).click();
    await page.getByRole("button", { name: "Insert an example" }).click();
    await page.getByRole("button", { name: "Predict all" }).click();
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state")).toBe("alone");
    expect(await page.getByTestId("results").locator("tbody tr").count()).toBe(2);
    await page.close();
  });
});

describe("many rows", () => {
  test("all rows of the file are answered alike in the page and on the server", async () => {
    const { page, complaints } = await open(browser);
    await page.goto(`${base}/model/${name}?tab=rows`);
    await page.getByTestId("file").setInputFiles(rowsFile);
    const badge = page.getByTestId("agreement");
    await expect.poll(() => badge.getAttribute("data-state"), { timeout: 30_000 }).toBe("agree");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download all as CSV" }).click()]);
    const folder = process.env["OUT"];
    if (folder) {
      await mkdir(folder, { recursive: true });
      await download.saveAs(join(folder, `${name}-predictions.csv`));
    }
    const answers = readCSV(await readFile(await download.path(), "utf8")).rows;
    const given = readCSV(await readFile(rowsFile, "utf8")).rows;
    expect(answers).toHaveLength(given.length);
    for (const answer of answers) {
      expect(answer["label"]).toBe(answer["server_label"]);
      expect(Number(answer["difference"])).toBeLessThanOrEqual(1e-5);
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("wrong rows are named and the others are answered", async () => {
    const { page } = await open(browser);
    await page.goto(`${base}/model/${name}?tab=rows`);
    await page.getByRole("button", { name: "Insert an example" }).click();
    const box = page.getByRole("textbox", { name: "Rows as CSV or JSON" });
    const [header = "", first = ""] = (await box.inputValue()).split("\n");
    await box.fill([header, first, first.replace(/(^|,)\d[\d.]*/, "$1many"), first].join("\n"));
    await page.getByRole("button", { name: "Predict all" }).click();
    await page.getByText('must be a number, not "many"').waitFor();
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state")).toBe("agree");
    await box.fill(`${header}\n${first},more\n`);
    await page.getByRole("button", { name: "Predict all" }).click();
    await page.getByText(/Line 2 has \d+ fields/).waitFor();
    await page.close();
  });
});

test("an unknown model and an unknown page say so", async () => {
  const { page } = await open(browser);
  await page.goto(`${base}/model/no-such-model`);
  await page.getByRole("heading", { name: "no-such-model cannot be shown" }).waitFor();
  await page.goto(`${base}/nowhere/at/all`);
  await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  await page.close();
});

describe.each([
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
  ["dark", 390],
] as const)("in %s at %d px", (colorScheme, width) => {
  test("nothing stands in anybody's way", async () => {
    const { page } = await open(browser, { colorScheme, viewport: { width, height: width < 500 ? 844 : 900 }, reducedMotion: "reduce" });
    const look = async (what: string) => {
      expect(await violations(page), what).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} scrolls sideways`).toBe(true);
      if (pictures) await page.screenshot({ path: join(pictures, `${what}-${colorScheme}-${width}.png`), fullPage: true });
    };
    await page.goto(base);
    await page.getByRole("link", { name: new RegExp(name) }).waitFor();
    await look("models");
    await page.goto(`${base}/model/${name}`);
    await page.getByTestId("page-latency").waitFor();
    await page.getByRole("button", { name: "Predict", exact: true }).click();
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state")).toBe("agree");
    await look("one-row");
    await page.getByRole("tab", { name: "Many rows" }).click();
    await page.getByTestId("file").setInputFiles(rowsFile);
    await expect.poll(() => page.getByTestId("agreement").getAttribute("data-state"), { timeout: 30_000 }).toBe("agree");
    await look("many-rows");
    await page.getByRole("tab", { name: "Versions" }).click();
    await page.getByRole("heading", { name: "History" }).waitFor();
    await look("versions");
    await page.getByRole("button", { name: "Access token" }).click();
    await page.getByRole("dialog").waitFor();
    await look("token");
    await page.close();
  });
});

test("the colours follow the system until one chooses, and the choice stays", async () => {
  const { page } = await open(browser, { colorScheme: "dark" });
  const scheme = () => page.evaluate(() => document.documentElement.getAttribute("data-mantine-color-scheme"));
  await page.goto(base);
  expect(await scheme()).toBe("dark");
  await page.getByRole("button", { name: "Switch to light colours" }).click();
  await expect.poll(scheme).toBe("light");
  await page.reload();
  expect(await scheme()).toBe("light");
  await page.close();
});

test.runIf(!process.env["SERVER_URL"])("an empty registry says how to make a first model", async () => {
  const empty = await startFixture({});
  const { page } = await open(browser);
  await page.goto(empty.url);
  await page.getByText("jarvis train penguins.csv --target species --name penguins").waitFor();
  expect(await violations(page)).toEqual([]);
  await page.close();
  await empty.close();
});
