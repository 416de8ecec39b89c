import { JarvisError } from "./errors.js";
import { startGuest, type GuestFiles, type Loaded, type Tensors } from "./guest.js";
import type { Request, RequestBody, Response } from "./protocol.js";

/** Outputs of one run, and the milliseconds that the guest itself took. */
export interface Run {
  outputs: Tensors;
  compute: number;
}

/** A place where models run: a Worker, or this thread. */
export interface Runtime {
  load(bytes: Uint8Array): Promise<Loaded>;
  run(id: number, inputs: Tensors): Promise<Run>;
  unload(id: number): Promise<void>;
  /** True once it cannot answer any more: models must be loaded again, into a new one. */
  readonly broken: boolean;
  close(): void;
}

/** Runs models in the calling thread: for node, edge workers, and Workers of your own. */
export async function inlineRuntime(files: GuestFiles): Promise<Runtime> {
  const guest = await startGuest(files);
  let broken = false;
  const guarded = <T>(call: () => T): T => {
    try {
      return call();
    } catch (thrown) {
      if (thrown instanceof WebAssembly.RuntimeError) broken = true;
      throw JarvisError.from(thrown);
    }
  };
  return {
    load: async (bytes) => guarded(() => guest.load(bytes)),
    run: async (id, inputs) =>
      guarded(() => {
        const from = performance.now();
        const outputs = guest.run(id, inputs);
        return { outputs, compute: performance.now() - from };
      }),
    unload: async (id) => guarded(() => guest.unload(id)),
    get broken() {
      return broken;
    },
    close: () => {
      broken = true;
    },
  };
}

/** Runs models in a module Worker made from worker.ts, so that the calling thread never waits. */
export async function workerRuntime(worker: Worker, files: GuestFiles): Promise<Runtime> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: JarvisError): void }>();
  let next = 0;
  let broken: JarvisError | undefined;

  const fail = (error: JarvisError) => {
    broken ??= error;
    for (const one of waiting.values()) one.reject(error);
    waiting.clear();
    worker.terminate();
  };
  worker.onerror = (event) => {
    fail(new JarvisError("internal", event.message || "the predictor's Worker failed", { hint: "load the model again" }));
  };
  worker.onmessageerror = () => fail(new JarvisError("internal", "the predictor's Worker sent what cannot be read"));
  worker.onmessage = (event: MessageEvent<Response>) => {
    const reply = event.data;
    const one = waiting.get(reply.call);
    if (!one) return;
    waiting.delete(reply.call);
    if (reply.ok) {
      one.resolve(reply.value);
      return;
    }
    const error = new JarvisError(reply.error.code, reply.error.message, reply.error);
    one.reject(error);
    if (reply.fatal) fail(error);
  };

  function call<T>(body: RequestBody, transfer: Transferable[] = []): Promise<T> {
    if (broken) return Promise.reject(broken);
    return new Promise<T>((resolve, reject) => {
      const request: Request = { call: next++, ...body };
      waiting.set(request.call, { resolve: resolve as (value: unknown) => void, reject });
      worker.postMessage(request, transfer);
    });
  }

  try {
    await call<void>({ op: "start", wasmExec: String(files.wasmExec), wasm: files.wasm instanceof URL ? String(files.wasm) : files.wasm });
  } catch (thrown) {
    worker.terminate();
    throw thrown;
  }
  return {
    load: (bytes) => call<Loaded>({ op: "load", bytes }),
    run: (id, inputs) => {
      const buffers = Object.values(inputs).flatMap(({ data }) => (Array.isArray(data) ? [] : [data.buffer as ArrayBuffer]));
      return call<Run>({ op: "run", id, inputs }, [...new Set(buffers)]);
    },
    unload: (id) => call<void>({ op: "unload", id }),
    get broken() {
      return broken !== undefined;
    },
    close: () => fail(new JarvisError("canceled", "the runtime was closed")),
  };
}
