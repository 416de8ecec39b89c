// Jarvis' client library: load an ONNX model that Jarvis trained and predict with it here, through Go WebAssembly.
// It knows neither React nor the DOM: browsers, node ≥ 20, Deno, Bun and edge workers can carry it.
import { JarvisError } from "./errors.js";
import type { GuestFiles } from "./guest.js";
import { Model } from "./model.js";
import { inlineRuntime, workerRuntime, type Runtime } from "./runtime.js";

export { JarvisError, type Code, type Problem } from "./errors.js";
export type { GuestFiles, Port, Tensor, Tensors, WasmSource } from "./guest.js";
export { Model, type Classified, type Prediction, type Regressed, type Result, type Timing } from "./model.js";
export { checkRows, encodeRows, type Pixels, type Row, type Steps, type Value } from "./rows.js";
export { inlineRuntime, workerRuntime, type Run, type Runtime } from "./runtime.js";
export { innerOf, isSignature, readSignature, type Input, type Kind, type Signature } from "./signature.js";

export interface RuntimeOptions extends GuestFiles {
  /** Makes the module Worker from worker.ts; without it models run in the calling thread. */
  worker?: () => Worker;
}

export interface LoadOptions {
  /** Where the model runs: one runtime carries many models. */
  runtime: Runtime | Promise<Runtime>;
  /** Headers for fetching the model, an Authorization for one. */
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Starts the predictor. Do it once, and early: it takes a fraction of a second. */
export function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  return options.worker ? workerRuntime(options.worker(), options) : inlineRuntime(options);
}

/** Loads a model from an address or from its bytes. */
export async function load(source: string | URL | ArrayBuffer | Uint8Array, options: LoadOptions): Promise<Model> {
  const [bytes, runtime] = await Promise.all([read(source, options), options.runtime]);
  return new Model(runtime, await runtime.load(bytes));
}

async function read(source: string | URL | ArrayBuffer | Uint8Array, options: LoadOptions): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  let response: Response;
  try {
    response = await fetch(source, { headers: options.headers ?? {}, signal: options.signal ?? null });
  } catch (thrown) {
    if (options.signal?.aborted) throw new JarvisError("canceled", "loading the model was canceled", { cause: thrown });
    throw new JarvisError("unreachable", "cannot fetch the model", { hint: "check the connection and try again", cause: thrown });
  }
  if (!response.ok) {
    const code = response.status === 404 ? "not_found" : response.status === 401 || response.status === 403 ? "denied" : "unavailable";
    throw new JarvisError(code, `cannot fetch the model: HTTP ${response.status}`, { status: response.status });
  }
  return new Uint8Array(await response.arrayBuffer());
}
