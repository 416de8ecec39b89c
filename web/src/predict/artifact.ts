import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { artifactURL } from "../api/client.js";
import { authorization } from "../api/token.js";
import { checkRows, load, startRuntime, type Model, type Runtime } from "../jarvis/index.js";
import { initialFields, readFields } from "./fields.js";

let current: Promise<Runtime> | undefined;

/** The page's one Worker with the predictor in it; a broken one is replaced when the next model is loaded. */
async function pageRuntime(): Promise<Runtime> {
  if (current && (await current.then((runtime) => runtime.broken, () => true))) current = undefined;
  current ??= startRuntime({
    wasmExec: new URL("/wasm_exec.js", location.origin),
    wasm: new URL("/jarvis-predict.wasm", location.origin),
    worker: () => new Worker(new URL("../jarvis/worker.ts", import.meta.url), { type: "module", name: "jarvis-predict" }),
  });
  return current;
}

export interface Artifact {
  model: Model;
  /** Milliseconds from the request to a model that has answered once. */
  ready: number;
}

/** A version's file, loaded into the page. It never changes, so it is kept while the page lives. */
export function artifactQuery(name: string, version: number | undefined) {
  return queryOptions({
    queryKey: ["artifact", name, version] as const,
    enabled: version !== undefined,
    staleTime: Infinity,
    structuralSharing: false,
    retry: false,
    queryFn: async ({ signal }): Promise<Artifact> => {
      const from = performance.now();
      const runtime = await pageRuntime();
      const model = await load(artifactURL(name, version ?? 0), { runtime, headers: authorization(), signal });
      await warm(model);
      return { model, ready: performance.now() - from };
    },
  });
}

/** Answers the example once, so that the first answer a person waits for finds compiled code. */
async function warm(model: Model): Promise<void> {
  const { row } = readFields(model.signature, initialFields(model.signature));
  if (checkRows(model.signature, [row]).length === 0) await model.predict([row]);
}

/** Frees a model when its query leaves the cache. */
export function freeArtifacts(queries: QueryClient): void {
  queries.getQueryCache().subscribe((event) => {
    if (event.type !== "removed" || event.query.queryKey[0] !== "artifact") return;
    const artifact = event.query.state.data as Artifact | undefined;
    // A Worker that has ended has freed the model already; there is nothing left to tell.
    artifact?.model.close().catch(() => undefined);
  });
}
