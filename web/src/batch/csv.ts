import { JarvisError } from "../jarvis/index.js";
import type { Parsed } from "./parse.js";

const delimiters = [",", "\t", ";", "|"] as const;

/** The sign that cuts the header into the most columns, quotes respected. */
export function delimiterOf(text: string): string {
  const header = text.slice(0, 64 << 10).split(/\r?\n/, 1)[0]?.replace(/"(?:[^"]|"")*"/g, "") ?? "";
  let best: string = ",";
  let most = 0;
  for (const sign of delimiters) {
    const count = header.split(sign).length;
    if (count > most) [best, most] = [sign, count];
  }
  return best;
}

/** Reads CSV by RFC 4180: quoted fields, doubled quotes, line ends of any kind. Ragged rows and open quotes name their line. */
export function readCSV(text: string): Parsed {
  const records = split(text, delimiterOf(text));
  const header = records.shift();
  if (!header) return { rows: [], lines: [], columns: [], text: true };
  const columns = header.cells.map((name) => name.trim());
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw new JarvisError("bad_data", `two columns are called "${twice}"`, { field: twice, hint: "rename one of them" });
  const rows = records.map(({ cells, line }) => {
    if (cells.length !== columns.length) {
      throw new JarvisError("bad_data", `line ${line} has ${cells.length} fields, the header has ${columns.length}`, {
        field: `line ${line}`,
        hint: "quote fields that hold the delimiter",
      });
    }
    return Object.fromEntries(columns.map((name, i) => [name, cells[i]]));
  });
  return { rows, lines: records.map(({ line }) => line), columns, text: true };
}

interface CSVRecord {
  cells: string[];
  line: number;
}

function split(text: string, delimiter: string): CSVRecord[] {
  const records: CSVRecord[] = [];
  let cells: string[] = [];
  let line = 1;
  let start = 1;
  let at = 0;
  const endRecord = () => {
    if (cells.length > 1 || cells[0] !== "") records.push({ cells, line: start });
    cells = [];
    start = line;
  };
  while (at <= text.length) {
    let cell: string;
    if (text[at] === '"') {
      const [value, after, lines] = quoted(text, at, line);
      [cell, at, line] = [value, after, line + lines];
      const next = text[at];
      if (next !== undefined && next !== delimiter && next !== "\n" && next !== "\r") {
        throw new JarvisError("bad_data", `line ${line}: text after a closing quote`, { field: `line ${line}`, hint: 'double quotes inside a quoted field: ""' });
      }
    } else {
      let end = at;
      while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end++;
      cell = text.slice(at, end);
      at = end;
    }
    cells.push(cell);
    if (at >= text.length) {
      endRecord();
      break;
    }
    if (text[at] === delimiter) {
      at++;
      continue;
    }
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    line++;
    endRecord();
    if (at >= text.length) break;
  }
  return records;
}

/** Reads a quoted field that opens at from; returns its text, where it ends, and the line ends inside. */
function quoted(text: string, from: number, line: number): [string, number, number] {
  let value = "";
  let at = from + 1;
  for (;;) {
    const close = text.indexOf('"', at);
    if (close < 0) throw new JarvisError("bad_data", `line ${line}: a quote is never closed`, { field: `line ${line}` });
    value += text.slice(at, close);
    if (text[close + 1] !== '"') return [value, close + 1, value.split("\n").length - 1];
    value += '"';
    at = close + 2;
  }
}
