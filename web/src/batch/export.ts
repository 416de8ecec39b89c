import type { Prediction } from "../jarvis/index.js";
import { distance } from "../predict/agreement.js";

/** Writes both sides as CSV: the columns of jarvis predict for the page, the same with server_ before them, and the difference. */
export function resultsCSV(lines: readonly number[], page: readonly (Prediction | undefined)[], server: readonly (Prediction | undefined)[]): string {
  const first = [...page, ...server].find((one) => one !== undefined);
  if (!first) return "line\n";
  const names = "label" in first ? ["label", ...Object.keys(first.probabilities).map((name) => `probability_${name}`)] : ["prediction"];
  const header = ["line", ...names, ...names.map((name) => `server_${name}`), "difference"];
  const records = lines.map((line, i) => {
    const both = page[i] && server[i] ? String(distance(page[i], server[i])) : "";
    return [String(line), ...cells(page[i], names), ...cells(server[i], names), both];
  });
  return [header, ...records].map((cells) => cells.map(quote).join(",")).join("\n") + "\n";
}

function cells(one: Prediction | undefined, names: readonly string[]): string[] {
  if (!one) return names.map(() => "");
  if ("prediction" in one) return [String(one.prediction)];
  return names.map((name) => (name === "label" ? one.label : String(one.probabilities[name.slice("probability_".length)] ?? "")));
}

function quote(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
