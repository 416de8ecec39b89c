// Writes .br and .gz beside the files of dist that text-like compression makes clearly smaller. web.go serves them as they are.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const kinds = /\.(?:html|js|css|svg|json|wasm|map)$/;
const smallest = 1024;
// 11 takes a quarter of a minute for the predictor and saves an eighth of it: for images and releases, not for every build.
const quality = Number(process.env["JARVIS_BROTLI"] ?? 9);

for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !kinds.test(entry.name)) continue;
  const path = join(entry.parentPath, entry.name);
  const content = await readFile(path);
  if (content.length < smallest) continue;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_LGWIN]: 22, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  const [br, gz] = await Promise.all([promisify(brotliCompress)(content, { params }), promisify(gzip)(content, { level: 9 })]);
  for (const [end, packed] of [[".br", br], [".gz", gz]]) {
    if (packed.length < content.length * 0.95) await writeFile(path + end, packed);
  }
}
