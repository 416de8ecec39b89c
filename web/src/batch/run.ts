import { predictOnServer } from "../api/client.js";
import { checkRows, JarvisError, type Model, type Prediction, type Problem, type Row, type Signature } from "../jarvis/index.js";

/** Rows in one request to the server. */
export const rowsPerRequest = 500;

/** Times that a request is made again without the rows that the server refused. */
const mostRetries = 20;

/** One side's answers: a prediction for each row, or undefined where the row has none. */
export interface Side {
  predictions: (Prediction | undefined)[];
  /** Milliseconds: all of it, and for the page the guest alone. */
  total: number;
  compute?: number;
  problems: Problem[];
  /** What stopped the whole side, such as a server that is gone. */
  error?: JarvisError;
}

/** Rows that pass the signature's checks, by their numbers, and what is wrong with the others. */
export function sift(signature: Signature, rows: readonly Row[]): { good: number[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const good: number[] = [];
  for (const [i, row] of rows.entries()) {
    const wrong = checkRows(signature, [row]);
    if (wrong.length === 0) good.push(i);
    else for (const problem of wrong) problems.push({ ...problem, row: i });
  }
  return { good, problems };
}

/** Predicts the good rows in the page, in one run. */
export async function runPage(model: Model, rows: readonly Row[], good: readonly number[]): Promise<Side> {
  const side: Side = { predictions: rows.map(() => undefined), total: 0, problems: [] };
  try {
    const { predictions, timing } = await model.predict(good.map((i) => rows[i] ?? {}));
    for (const [k, i] of good.entries()) side.predictions[i] = predictions[k];
    return { ...side, total: timing.total, compute: timing.compute };
  } catch (thrown) {
    return { ...side, error: JarvisError.from(thrown) };
  }
}

/**
 * Predicts the good rows on the server, some hundred a request. Rows that it refuses are left out and the request is made
 * again without them, so that one wrong row does not hide the others.
 */
export async function runServer(
  name: string,
  version: number,
  rows: readonly Row[],
  good: readonly number[],
  signal: AbortSignal,
  progress: (done: number) => void,
): Promise<Side> {
  const side: Side = { predictions: rows.map(() => undefined), total: 0, problems: [] };
  const from = performance.now();
  try {
    for (let at = 0; at < good.length; at += rowsPerRequest) {
      await runChunk(name, version, rows, good.slice(at, at + rowsPerRequest), side, signal);
      progress(Math.min(good.length, at + rowsPerRequest));
    }
  } catch (thrown) {
    side.error = signal.aborted ? new JarvisError("canceled", "stopped") : JarvisError.from(thrown);
  }
  return { ...side, total: performance.now() - from };
}

async function runChunk(name: string, version: number, rows: readonly Row[], chunk: number[], side: Side, signal: AbortSignal, retries = mostRetries): Promise<void> {
  try {
    const { predictions } = await predictOnServer(name, version, chunk.map((i) => rows[i] ?? {}), signal);
    for (const [k, i] of chunk.entries()) side.predictions[i] = predictions[k];
  } catch (thrown) {
    const error = signal.aborted ? undefined : JarvisError.from(thrown);
    const refused = new Set(error?.problems.flatMap(({ row }) => (row !== undefined && row < chunk.length ? [row] : [])));
    if (!error || refused.size === 0 || retries === 0) throw thrown;
    for (const problem of error.problems) {
      const row = problem.row === undefined ? undefined : chunk[problem.row];
      if (row !== undefined) side.problems.push({ ...problem, row });
    }
    const rest = chunk.filter((_, k) => !refused.has(k));
    if (rest.length > 0) await runChunk(name, version, rows, rest, side, signal, retries - 1);
  }
}
