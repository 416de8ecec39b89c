import type { Code, Problem } from "./errors.js";
import type { Loaded, Tensors, WasmSource } from "./guest.js";
import type { Run } from "./runtime.js";

/** What a runtime asks its Worker. */
export type RequestBody =
  | { op: "start"; wasmExec: string; wasm: Exclude<WasmSource, URL> }
  | { op: "load"; bytes: Uint8Array }
  | { op: "run"; id: number; inputs: Tensors }
  | { op: "unload"; id: number };

export type Request = { call: number } & RequestBody;

/** What the Worker answers. fatal: the guest is gone, and so is every model in it. */
export type Response =
  | { call: number; ok: true; value: Loaded | Run | undefined }
  | {
      call: number;
      ok: false;
      fatal: boolean;
      error: { code: Code; message: string; hint?: string | undefined; field?: string | undefined; problems?: Problem[] };
    };
