import { JarvisError } from "./errors.js";

/** A named input or output of a model; -1 stands for the number of rows. */
export interface Port {
  name: string;
  dtype: string;
  shape: number[];
}

export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

export interface Tensor {
  data: TensorData;
  shape: number[];
  dtype?: string;
}

export type Tensors = Record<string, Tensor>;

/** What the guest knows of a model that it has loaded. */
export interface Loaded {
  id: number;
  metadata: Record<string, string>;
  inputs: Port[];
  outputs: Port[];
}

/** The functions that jarvis-predict.wasm leaves on globalThis. They throw Errors with a code and a hint. */
export interface Guest {
  load(bytes: Uint8Array): Loaded;
  run(id: number, inputs: Tensors): Tensors;
  unload(id: number): void;
}

/** Where the program comes from: an address, its bytes, or a module that is already compiled. */
export type WasmSource = string | URL | ArrayBuffer | Uint8Array | WebAssembly.Module;

export interface GuestFiles {
  /** Go's wasm_exec.js, the one of the Go release that built the predictor. */
  wasmExec: string | URL;
  /** jarvis-predict.wasm. */
  wasm: WasmSource;
}

interface GoProgram {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

interface GuestGlobals {
  Go?: new () => GoProgram;
  jarvisPredict?: Guest | undefined;
  jarvisReady?: (() => void) | undefined;
}

const globals = globalThis as unknown as GuestGlobals;
let running: Promise<Guest> | undefined;

/**
 * Starts the predictor in this thread, once: the guest is a global of the thread. A failed start can be tried again.
 */
export function startGuest(files: GuestFiles): Promise<Guest> {
  running ??= start(files).catch((thrown: unknown) => {
    running = undefined;
    throw thrown;
  });
  return running;
}

async function start(files: GuestFiles): Promise<Guest> {
  if (!globals.Go) {
    try {
      await import(/* @vite-ignore */ String(files.wasmExec));
    } catch (thrown) {
      throw new JarvisError("unavailable", "cannot load wasm_exec.js", { hint: "check the address and reload", cause: thrown });
    }
  }
  if (!globals.Go) throw new JarvisError("internal", "wasm_exec.js did not define Go", { hint: "copy the file of the Go release that built the predictor" });
  const program = new globals.Go();
  const instance = await instantiate(files.wasm, program.importObject);
  let exited = false;
  const ready = new Promise<void>((resolve) => {
    globals.jarvisReady = resolve;
  });
  const ended = program.run(instance).then(() => {
    exited = true;
    running = undefined;
    globals.jarvisPredict = undefined;
  });
  await Promise.race([ready, ended]);
  const guest = globals.jarvisPredict;
  if (exited || !guest) throw new JarvisError("internal", "the predictor ended while it started");
  const alive = <T>(call: () => T): T => {
    if (exited) throw new JarvisError("internal", "the predictor has ended", { hint: "load the model again" });
    return call();
  };
  return {
    load: (bytes) => alive(() => guest.load(bytes)),
    run: (id, inputs) => alive(() => guest.run(id, inputs)),
    unload: (id) => alive(() => guest.unload(id)),
  };
}

async function instantiate(source: WasmSource, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  if (source instanceof WebAssembly.Module) return WebAssembly.instantiate(source, imports);
  if (typeof source !== "string" && !(source instanceof URL)) {
    return (await WebAssembly.instantiate(source as BufferSource, imports)).instance;
  }
  let response: Response;
  try {
    response = await fetch(source);
  } catch (thrown) {
    throw new JarvisError("unreachable", "cannot fetch the predictor", { hint: "check the connection and try again", cause: thrown });
  }
  if (!response.ok) {
    throw new JarvisError("unavailable", `cannot fetch the predictor: HTTP ${response.status}`, { hint: "build it with: make wasm" });
  }
  // Streaming compilation needs the right content type; some static hosts do not send it.
  if (response.headers.get("content-type")?.startsWith("application/wasm")) {
    return (await WebAssembly.instantiateStreaming(response, imports)).instance;
  }
  return (await WebAssembly.instantiate(await response.arrayBuffer(), imports)).instance;
}
