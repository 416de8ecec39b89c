// The Worker that runs the predictor. It serves one runtime: requests are answered in the order in which they came.
import { JarvisError } from "./errors.js";
import type { Request, Response } from "./protocol.js";
import { inlineRuntime, type Runtime } from "./runtime.js";

const scope = globalThis as unknown as DedicatedWorkerGlobalScope;
let runtime: Runtime | undefined;
let queue: Promise<void> = Promise.resolve();

async function answer(request: Request): Promise<Extract<Response, { ok: true }>["value"]> {
  if (request.op === "start") {
    runtime = await inlineRuntime({ wasmExec: request.wasmExec, wasm: request.wasm });
    return undefined;
  }
  if (!runtime) throw new JarvisError("internal", "the predictor was not started");
  switch (request.op) {
    case "load":
      return runtime.load(request.bytes);
    case "run":
      return runtime.run(request.id, request.inputs);
    case "unload":
      await runtime.unload(request.id);
      return undefined;
  }
}

async function serve(request: Request): Promise<void> {
  try {
    const value = await answer(request);
    scope.postMessage({ call: request.call, ok: true, value } satisfies Response);
  } catch (thrown) {
    const { code, message, hint, field } = JarvisError.from(thrown);
    const fatal = request.op === "start" || (runtime?.broken ?? true);
    scope.postMessage({ call: request.call, ok: false, fatal, error: { code, message, hint, field } } satisfies Response);
  }
}

scope.onmessage = (event: MessageEvent<Request>) => {
  const request = event.data;
  queue = queue.then(() => serve(request));
};
