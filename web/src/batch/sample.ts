import type { Signature } from "../jarvis/index.js";
import { initialFields } from "../predict/fields.js";

/** A small table that fits the model: its example row, and one with the range's ends or the other categories. */
export function sampleCSV(signature: Signature): string {
  const fields = initialFields(signature);
  const example = signature.inputs.map((input) => (fields[input.name]?.missing ? "" : (fields[input.name]?.text ?? "")));
  const other = signature.inputs.map((input, i) => {
    if (input.kind === "number") return input.max === undefined ? (example[i] ?? "") : String(Number(input.max.toPrecision(7)));
    return input.values?.at(-1) ?? example[i] ?? "";
  });
  const quote = (cell: string) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return [signature.inputs.map((input) => input.name), example, other].map((cells) => cells.map(quote).join(",")).join("\n");
}
