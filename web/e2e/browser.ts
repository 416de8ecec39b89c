// One Chromium for all tests, and a page that remembers everything that went wrong in it.
import axe from "axe-core";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";

export async function launch(): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

export interface Watched {
  page: Page;
  /** Console errors, uncaught exceptions and violations of the content security policy. */
  complaints: string[];
}

export async function open(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const token = process.env["JARVIS_TOKEN"];
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  if (token) await page.addInitScript((value) => sessionStorage.setItem("jarvis.token", value), token);
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  return { page, complaints };
}

/** Names the accessibility violations of the page as it stands. */
export async function violations(page: Page): Promise<string[]> {
  // Through the debugger: the page's policy rightly lets no foreign script in.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { axe: engine } = globalThis as unknown as { axe: typeof import("axe-core") };
    return (await engine.run()).violations;
  });
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target.join(" ")} (${node.any[0]?.message ?? ""})`).join(", ")}`);
}
