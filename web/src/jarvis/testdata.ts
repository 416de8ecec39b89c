import type { Signature } from "./signature.js";

/** A signature with an input of every kind, for tests. */
export const penguins: Signature = {
  task: "classification",
  target: "species",
  classes: ["Adelie", "Chinstrap", "Gentoo"],
  inputs: [
    { name: "island", type: "string", kind: "category", values: ["Biscoe", "Dream", "Torgersen"], example: "Biscoe", missing: 0 },
    { name: "bill.length (mm)", type: "float32", kind: "number", min: 32.1, max: 59.6, example: 44.5, missing: 0.006 },
    { name: "body_mass_g", type: "float32", kind: "number", min: 2700, max: 6300, example: 4050, missing: 0.006 },
    { name: "clutch", type: "string", kind: "boolean", values: ["Yes", "No"], example: "Yes", missing: 0.1 },
    { name: "egg", type: "string", kind: "date", example: "2008-11-09", missing: 0 },
  ],
};

export const row = { island: "Dream", "bill.length (mm)": 40.5, body_mass_g: 3900, clutch: "Yes", egg: "2008-11-09" };
