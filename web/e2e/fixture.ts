// A small server that follows the HTTP contract, for developing and testing the page where no jarvis serve is at hand.
// Its answers come from the same artifact and the same predictor as the page's, run in node by the client library.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";
import { checkRows, inlineRuntime, load, type Model, type Row } from "../src/jarvis/index.js";

const dist = join(import.meta.dirname, "../dist");

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};

// As web/site.go sends them.
const headers = {
  "Content-Security-Policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; " +
    "form-action 'self'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

interface Served {
  name: string;
  file: Buffer;
  model: Model;
}

/** Starts the fixture with artifacts by name; no artifacts make an empty registry. */
export async function startFixture(artifacts: Record<string, string>, port = 0): Promise<{ url: string; close(): Promise<void> }> {
  const served = new Map<string, Served>();
  if (Object.keys(artifacts).length > 0) {
    const runtime = await inlineRuntime({
      wasmExec: pathToFileURL(join(dist, "wasm_exec.js")),
      wasm: await readFile(join(dist, "jarvis-predict.wasm")),
    });
    for (const [name, path] of Object.entries(artifacts)) {
      const file = await readFile(path);
      served.set(name, { name, file, model: await load(new Uint8Array(file), { runtime }) });
    }
  }
  const server = createServer((request, response) => {
    answer(served, request, response).catch((thrown: unknown) => {
      problem(response, 500, { code: "internal", detail: String(thrown) });
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => close(server) };
}

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function answer(served: Map<string, Served>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://fixture");
  const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
  if (url.pathname === "/api/models") return json(response, { models: [...served.values()].map(summary) });
  if (parts[0] === "api" && parts[1] === "models") {
    const one = served.get(parts[2] ?? "");
    if (!one) return problem(response, 404, { code: "not_found", detail: `there is no model called ${parts[2]}`, hint: "GET /api/models lists them" });
    if (parts[5] === "model.onnx") {
      response.writeHead(200, { "Content-Type": "application/octet-stream" }).end(one.file);
      return;
    }
    return json(response, detail(one));
  }
  if (parts[0] === "models" && parts[2] === "predict" && request.method === "POST") {
    const one = served.get(parts[1] ?? "");
    if (!one) return problem(response, 404, { code: "not_found", detail: `there is no model called ${parts[1]}` });
    return predict(one, request, response);
  }
  return file(url.pathname, response);
}

async function predict({ name, model }: Served, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { rows } = JSON.parse(Buffer.concat(chunks).toString()) as { rows: Row[] };
  const problems = checkRows(model.signature, rows);
  if (problems.length > 0) {
    return problem(response, 422, {
      code: "invalid",
      detail: "some values cannot be used",
      errors: problems.map(({ row, field, message }) => ({ location: `rows[${row}].${field}`, message })),
    });
  }
  const { predictions } = await model.predict(rows);
  json(response, { model: name, version: 3, predictions });
}

const hour = 3_600_000;
const before = (hours: number) => new Date(Date.now() - hours * hour).toISOString();

function card({ model }: Served) {
  return {
    metrics: JSON.parse(model.metadata["jarvis.metrics"] ?? "{}") as { holdout?: object; baseline?: object },
    provenance: JSON.parse(model.metadata["jarvis.provenance"] ?? "{}") as { estimator?: string },
  };
}

function summary(one: Served) {
  const { metrics, provenance } = card(one);
  const { task, target } = one.model.signature;
  return {
    name: one.name, task, target, estimator: provenance.estimator ?? "", champion: 3, candidate: null, versions: 3,
    created: before(2), metrics: metrics.holdout ?? {}, baseline: metrics.baseline ?? {},
  };
}

function detail(one: Served) {
  const version = { sha256: createHash("sha256").update(one.file).digest("hex"), size: one.file.length, metrics: card(one).metrics.holdout ?? {} };
  return {
    name: one.name,
    aliases: { champion: 3 },
    versions: [
      { ...version, number: 1, created: before(400), who: "ada", why: "first training", deleted: true },
      { ...version, number: 2, created: before(50), who: "ada", why: "", deleted: false },
      { ...version, number: 3, created: before(2), who: "inbox", why: "retrained: 52 new rows from spring-2026.csv", deleted: false },
    ],
    signature: one.model.signature,
    history: [
      { seq: 1, time: before(400), who: "ada", why: "first training", action: "publish", alias: "", version: 1 },
      { seq: 2, time: before(400), who: "ada", why: "first training", action: "promote", alias: "champion", version: 1 },
      { seq: 3, time: before(50), who: "ada", why: "", action: "publish", alias: "", version: 2 },
      { seq: 4, time: before(2), who: "inbox", why: "accuracy 0.985 is not worse than 0.971", action: "promote", alias: "champion", version: 3 },
    ],
  };
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function problem(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/problem+json" }).end(JSON.stringify({ status, ...body }));
}

async function file(path: string, response: ServerResponse): Promise<void> {
  const wanted = normalize(path).replace(/^\/+/, "");
  const name = extname(wanted) in types ? wanted : "index.html";
  try {
    const content = await readFile(join(dist, name));
    response.writeHead(200, { "Content-Type": types[extname(name)] ?? "application/octet-stream", ...headers }).end(content);
  } catch {
    response.writeHead(404).end("not found");
  }
}
