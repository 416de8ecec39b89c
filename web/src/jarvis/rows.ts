import { JarvisError, type Problem } from "./errors.js";
import type { Tensors } from "./guest.js";
import type { Input, Signature } from "./signature.js";

/** A value of a row; null, undefined and NaN stand for a missing one. */
export type Value = string | number | boolean | null | undefined;

/** One row: values by column name. */
export type Row = Record<string, Value>;

/** Problems that are listed at most; a table of a million wrong rows needs no million messages. */
export const maxProblems = 1000;

/** Names everything that is wrong with the rows, in order, up to maxProblems. */
export function checkRows(signature: Signature, rows: readonly Row[]): Problem[] {
  const problems: Problem[] = [];
  const inputs = new Map(signature.inputs.map((input) => [input.name, input]));
  for (const [row, values] of rows.entries()) {
    for (const input of signature.inputs) {
      const message = wrong(input, values[input.name], Object.hasOwn(values, input.name));
      if (message) problems.push({ row, field: input.name, message });
    }
    for (const field of Object.keys(values)) {
      if (!inputs.has(field)) problems.push({ row, field, message: "the model has no such input" });
    }
    if (problems.length >= maxProblems) return problems.slice(0, maxProblems);
  }
  return problems;
}

function wrong(input: Input, value: Value, present: boolean): string | undefined {
  if (!present && input.missing === 0) return "is required: no row of the training data lacked it (null says that it is missing)";
  if (isMissing(value)) return undefined;
  switch (input.kind) {
    case "number":
      if (typeof value !== "number") return `must be a number, not ${JSON.stringify(value)}`;
      if (!Number.isFinite(Math.fround(value))) return "must fit in a 32-bit float";
      return undefined;
    case "boolean":
      if (typeof value === "boolean" || (typeof value === "string" && booleans.has(value))) return undefined;
      return `must be true or false, or a word such as "yes" and "no", not ${JSON.stringify(value)}`;
    case "date":
      return typeof value === "string" && isDate(value) ? undefined : 'must be a date such as "2026-01-31" or "2026-01-31T12:00:00"';
    case "category":
      return typeof value === "string" ? undefined : `must be text, not ${JSON.stringify(value)}`;
  }
}

export function isMissing(value: Value): boolean {
  return value === null || value === undefined || value === "" || (typeof value === "number" && Number.isNaN(value));
}

/** The words that every model reads as a truth value, in lower, title and upper case. */
const booleans: ReadonlySet<string> = new Set(
  ["true", "false", "yes", "no", "t", "f", "y", "n", "on", "off", "1", "0"].flatMap((word) => [
    word,
    word.charAt(0).toUpperCase() + word.slice(1),
    word.toUpperCase(),
  ]),
);

const iso = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

function isDate(text: string): boolean {
  return iso.test(text) && !Number.isNaN(Date.parse(text.slice(0, 10)));
}

/** Makes the input tensors, one (rows, 1) per column. It throws a JarvisError that lists what is wrong. */
export function encodeRows(signature: Signature, rows: readonly Row[]): Tensors {
  const problems = checkRows(signature, rows);
  const first = problems[0];
  if (first) {
    const where = rows.length > 1 ? `row ${(first.row ?? 0) + 1}, ` : "";
    throw new JarvisError("invalid", `${where}${first.field ?? ""}: ${first.message}`, {
      field: first.field,
      problems,
      hint: `the model takes ${signature.inputs.map((input) => input.name).join(", ")}`,
    });
  }
  const tensors: Tensors = {};
  for (const input of signature.inputs) tensors[input.name] = encodeColumn(input, rows);
  return tensors;
}

function encodeColumn(input: Input, rows: readonly Row[]): Tensors[string] {
  const shape = [rows.length, 1];
  if (input.kind === "number") {
    const data = new Float32Array(rows.length);
    for (const [i, row] of rows.entries()) {
      const value = row[input.name];
      data[i] = typeof value === "number" ? value : Number.NaN;
    }
    return { data, shape, dtype: "float32" };
  }
  return { data: rows.map((row) => text(row[input.name])), shape, dtype: "string" };
}

function text(value: Value): string {
  if (isMissing(value)) return "";
  return String(value);
}
