// Prints what the first load costs, and fails when its JavaScript is larger than it may be.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

const limit = 250 * 1024;
const dist = new URL("../dist/", import.meta.url).pathname;
const html = await readFile(join(dist, "index.html"), "utf8");
let scripts = 0;
const rows = [];
for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(?:js|css|wasm|woff2)$/.test(entry.name)) continue;
  const content = await readFile(join(entry.parentPath, entry.name));
  const gz = gzipSync(content, { level: 9 }).length;
  const first = html.includes(entry.name);
  if (first && entry.name.endsWith(".js")) scripts += gz;
  rows.push({ file: entry.name, first, bytes: content.length, gzip: gz, brotli: brotliCompressSync(content).length });
}
console.table(rows);
console.log(`first-load JavaScript: ${(scripts / 1024).toFixed(1)} KB gzip, at most ${limit / 1024} KB`);
if (scripts > limit) process.exit(1);
