import { JarvisError } from "./errors.js";

/** How the text or number of a column was understood in training. */
export type Kind = "number" | "category" | "boolean" | "date";

/** One raw column that the model takes. */
export interface Input {
  name: string;
  type: string;
  kind: Kind;
  /** Known categories, most frequent first. */
  values?: string[];
  /** Range of the training data, numbers only. */
  min?: number;
  max?: number;
  /** A typical value. */
  example?: string | number | boolean | null;
  /** Share of missing values in the training data, 0 … 1. */
  missing: number;
}

/** What a model takes and gives. */
export interface Signature {
  task: "classification" | "regression";
  target: string;
  /** Class labels in the order of the probabilities. */
  classes?: string[];
  inputs: Input[];
}

export const signatureKey = "jarvis.signature";

/** Reads the signature from an artifact's metadata; a file that Jarvis did not write has none. */
export function readSignature(metadata: Record<string, string>): Signature | undefined {
  const text = metadata[signatureKey];
  if (!text) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw new JarvisError("bad_model", "broken metadata", { field: signatureKey, cause: thrown });
  }
  if (!isSignature(value)) throw new JarvisError("bad_model", "the signature is not one that Jarvis wrote", { field: signatureKey });
  return value;
}

const kinds: ReadonlySet<unknown> = new Set<Kind>(["number", "category", "boolean", "date"]);

export function isSignature(value: unknown): value is Signature {
  if (typeof value !== "object" || value === null) return false;
  const { task, target, classes, inputs } = value as Record<string, unknown>;
  if (task !== "classification" && task !== "regression") return false;
  if (typeof target !== "string" || !Array.isArray(inputs)) return false;
  if (classes !== undefined && classes !== null && !isTexts(classes)) return false;
  return inputs.every((one: unknown) => {
    if (typeof one !== "object" || one === null) return false;
    const { name, kind, values } = one as Record<string, unknown>;
    return typeof name === "string" && kinds.has(kind) && (values === undefined || values === null || isTexts(values));
  });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
