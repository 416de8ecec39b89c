import { JarvisError, type Input, type Row, type Signature, type Value } from "../jarvis/index.js";
import { readSequence } from "../predict/fields.js";
import { readCSV } from "./csv.js";

/** Bounds of the many-rows tab: what a page can show and a request may carry. */
export const maxRows = 10_000;
export const maxBytes = 8 << 20;

/** Rows as they came, before the signature has its say. */
export interface Parsed {
  rows: Record<string, unknown>[];
  /** Line of the file, from 1, on which a row starts. */
  lines: number[];
  columns: string[];
  /** True for CSV, where all is text and words such as NA mean a missing value. */
  text: boolean;
}

/** Reads CSV (or tabs, semicolons, pipes), a JSON array, {"rows": […]}, or JSON lines. */
export function parseRows(text: string): Parsed {
  const clean = text.replace(/^\uFEFF/, "");
  if (clean.length > maxBytes) {
    throw new JarvisError("too_large", `more than ${maxBytes >> 20} MB of text`, { hint: "use jarvis predict for large files" });
  }
  if (clean.trim() === "") throw new JarvisError("bad_data", "there are no rows", { hint: "paste rows with a header line, or drop a file" });
  const parsed = /^\s*[[{]/.test(clean) ? readJSON(clean) : readCSV(clean);
  if (parsed.rows.length === 0) throw new JarvisError("bad_data", "there is a header, but no rows");
  if (parsed.rows.length > maxRows) {
    throw new JarvisError("too_large", `${parsed.rows.length} rows; at most ${maxRows} fit here`, { hint: "use jarvis predict for large files" });
  }
  return parsed;
}

function readJSON(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    if (/^\s*\{/.test(text) && /\}\s*\n\s*\{/.test(text)) return readLines(text);
    throw new JarvisError("bad_data", `this is not JSON: ${(thrown as Error).message}`, { hint: "an array of objects, or one object a line" });
  }
  if (typeof value === "object" && value !== null && "rows" in value && Array.isArray(value.rows)) value = value.rows;
  const list = Array.isArray(value) ? value : [value];
  return collect(list.map((row, i) => [row, i + 1]));
}

function readLines(text: string): Parsed {
  const list: [unknown, number][] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      list.push([JSON.parse(line), i + 1]);
    } catch {
      throw new JarvisError("bad_data", `line ${i + 1} is not JSON`, { field: `line ${i + 1}` });
    }
  }
  return collect(list);
}

function collect(list: [unknown, number][]): Parsed {
  const columns = new Set<string>();
  const rows = list.map(([row, line]) => {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new JarvisError("bad_data", `row ${line} is not an object`, { hint: 'write rows as {"column": value, …}' });
    }
    for (const name of Object.keys(row)) columns.add(name);
    return row as Record<string, unknown>;
  });
  return { rows, lines: list.map(([, line]) => line), columns: [...columns], text: false };
}

/** Words that stand for a missing value in CSV: those of jarvis train, which are those of pandas. */
const missingWords: ReadonlySet<string> = new Set([
  "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
  "NaN", "None", "n/a", "nan", "null",
]);

export interface Batch {
  rows: Row[];
  lines: number[];
  /** The target's value in each row, where the file has that column. */
  truth: string[] | undefined;
  /** Columns that the model does not take. */
  ignored: string[];
}

/** Fits rows to the signature: leaves out columns that are no inputs, and reads text as each input's kind. */
export function fitRows(signature: Signature, parsed: Parsed): Batch {
  const names = new Set(signature.inputs.map((input) => input.name));
  const present = new Set(parsed.columns);
  const lacking = [...names].filter((name) => !present.has(name));
  if (lacking.length === names.size) {
    throw new JarvisError("invalid", "no column of the file is an input of the model", { hint: `the model takes ${[...names].join(", ")}` });
  }
  const needed = signature.inputs.filter((input) => lacking.includes(input.name) && input.missing === 0).map((input) => input.name);
  if (needed.length > 0) {
    throw new JarvisError("invalid", `the file lacks ${needed.join(", ")}`, { field: needed[0], hint: `the model takes ${[...names].join(", ")}` });
  }
  const rows = parsed.rows.map((row) => Object.fromEntries(signature.inputs.map((input) => [input.name, readCell(input, row[input.name], parsed.text)])));
  const truth = present.has(signature.target) ? parsed.rows.map((row) => String(row[signature.target] ?? "")) : undefined;
  return { rows, lines: parsed.lines, truth, ignored: parsed.columns.filter((name) => !names.has(name) && name !== signature.target) };
}

function readCell(input: Input, cell: unknown, csv: boolean): Value {
  if (cell === null || cell === undefined) return null;
  if (typeof cell === "string") {
    if (cell.trim() === "" || (csv && missingWords.has(cell))) return null;
    if (input.kind === "sequence") return readSequence(cell);
    if (input.kind !== "number" || !csv) return cell;
    const value = Number(cell);
    return Number.isNaN(value) ? cell : value;
  }
  if (input.kind === "sequence" && Array.isArray(cell)) return cell as Value;
  if (typeof cell === "number") return input.kind === "number" ? cell : String(cell);
  if (typeof cell === "boolean") return input.kind === "boolean" ? cell : String(cell);
  return JSON.stringify(cell);
}
