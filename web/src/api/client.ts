import { JarvisError, type Prediction, type Row } from "../jarvis/index.js";
import { fromProblem } from "./problem.js";
import { authorization } from "./token.js";
import type { ModelDetail, ModelSummary } from "./types.js";

/** Milliseconds after which a server that says nothing counts as unreachable. */
const patience = 30_000;

export async function listModels(signal?: AbortSignal): Promise<ModelSummary[]> {
  const body = await request<{ models: ModelSummary[] | null }>("/api/models", {}, signal);
  return (body.models ?? []).toSorted((a, b) => a.name.localeCompare(b.name));
}

export function showModel(name: string, signal?: AbortSignal): Promise<ModelDetail> {
  return request<ModelDetail>(`/api/models/${encodeURIComponent(name)}`, {}, signal).then((model) => ({
    ...model,
    // An empty Go list or map may come as null.
    aliases: model.aliases ?? {},
    versions: model.versions ?? [],
    history: model.history ?? [],
  }));
}

/** The address of an artifact; a numbered version never changes. */
export function artifactURL(name: string, version: number): string {
  return new URL(`/api/models/${encodeURIComponent(name)}/versions/${version}/model.onnx`, location.origin).href;
}

export interface ServerAnswer {
  version: number;
  predictions: Prediction[];
  /** Milliseconds from sending the request to the last byte of the answer. */
  roundTrip: number;
}

/** Predicts rows on the server, by a certain version. */
export async function predictOnServer(name: string, version: number, rows: readonly Row[], signal?: AbortSignal): Promise<ServerAnswer> {
  const from = performance.now();
  const body = await request<{ version: number; predictions: Prediction[] }>(
    `/models/${encodeURIComponent(name)}/predict?version=${version}`,
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ rows }) },
    signal,
  );
  const roundTrip = performance.now() - from;
  if (!Array.isArray(body.predictions) || body.predictions.length !== rows.length) {
    throw new JarvisError("internal", "the server did not answer each row once");
  }
  return { version: body.version, predictions: body.predictions, roundTrip };
}

async function request<T>(path: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(patience);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      ...init,
      headers: { Accept: "application/json", ...authorization(), ...(init.headers as Record<string, string> | undefined) },
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    text = await response.text();
  } catch (thrown) {
    if (signal?.aborted) throw thrown;
    throw new JarvisError("unreachable", "the server does not answer", { hint: "is jarvis serve still running?", cause: thrown });
  }
  const body = parse(text);
  if (!response.ok) throw fromProblem(response.status, body);
  if (body === undefined) throw new JarvisError("internal", "the server's answer is not JSON", { status: response.status });
  return body as T;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
