import { describe, expect, test } from "vitest";
import { JarvisError } from "./errors.js";
import type { Loaded, Tensors } from "./guest.js";
import { Model } from "./model.js";
import { checkRows, encodeRows, type Row } from "./rows.js";
import type { Runtime } from "./runtime.js";
import { readSignature, signatureKey, type Input, type Signature } from "./signature.js";
import { penguins, row } from "./testdata.js";

/** A runtime that answers with what it is given, and remembers what it was asked. */
function recorded(outputs: Tensors) {
  const asked: Tensors[] = [];
  const runtime: Runtime = {
    broken: false,
    load: () => Promise.reject(new Error("not used")),
    run: async (_, inputs) => {
      asked.push(inputs);
      return { outputs, compute: 0.02 };
    },
    unload: async () => undefined,
    close: () => undefined,
  };
  return { runtime, asked };
}

const loaded: Loaded = { id: 7, metadata: { [signatureKey]: JSON.stringify(penguins) }, inputs: [], outputs: [] };

describe("rows become one tensor a column", () => {
  test("numbers are float32 and missing is NaN, texts are strings and missing is empty", () => {
    const tensors = encodeRows(penguins, [row, { ...row, "bill.length (mm)": null, clutch: null }]);
    expect(tensors["bill.length (mm)"]).toEqual({ data: new Float32Array([40.5, NaN]), shape: [2, 1], dtype: "float32" });
    expect(tensors["clutch"]).toEqual({ data: ["Yes", ""], shape: [2, 1], dtype: "string" });
    expect(Object.keys(tensors)).toEqual(penguins.inputs.map((input) => input.name));
  });

  test.each([
    ["a number as text", { ...row, body_mass_g: "3900" }, "body_mass_g"],
    ["a number as category", { ...row, island: 3 }, "island"],
    ["infinity", { ...row, body_mass_g: Infinity }, "body_mass_g"],
    ["more than a float32 holds", { ...row, body_mass_g: 1e300 }, "body_mass_g"],
    ["a word that is no truth value", { ...row, clutch: "maybe" }, "clutch"],
    ["a date that is none", { ...row, egg: "09.11.2008" }, "egg"],
    ["a day that is none", { ...row, egg: "2008-13-09" }, "egg"],
    ["an input that is absent", { island: "Dream", egg: "2008-11-09", body_mass_g: 1, clutch: "No" }, undefined],
    ["a required input that is absent", { ...row, island: undefined as unknown as null }, undefined],
    ["a column that the model does not have", { ...row, wings: 2 }, "wings"],
  ])("%s", (_, given, field) => {
    expect(checkRows(penguins, [given]).map((problem) => problem.field)).toEqual(field === undefined ? [] : [field]);
  });

  test("a required input whose name is not there at all is a problem", () => {
    const { island: _, ...rest } = row;
    expect(checkRows(penguins, [row, rest])).toMatchObject([{ row: 1, field: "island" }]);
  });

  test("the error names the row and the field", () => {
    const wrong = () => encodeRows(penguins, [row, { ...row, body_mass_g: "heavy" }]);
    expect(wrong).toThrow(JarvisError);
    expect(wrong).toThrow("row 2, body_mass_g: must be a number");
  });
});

describe("outputs become predictions", () => {
  test("labels and probabilities", async () => {
    const { runtime, asked } = recorded({
      label: { data: ["Gentoo", "Adelie"], shape: [2] },
      probabilities: { data: new Float32Array([0.25, 0.25, 0.5, 1, 0, 0]), shape: [2, 3] },
    });
    const { predictions, timing } = await new Model(runtime, loaded).predict([row, row]);
    expect(predictions).toEqual([
      { label: "Gentoo", probabilities: { Adelie: 0.25, Chinstrap: 0.25, Gentoo: 0.5 } },
      { label: "Adelie", probabilities: { Adelie: 1, Chinstrap: 0, Gentoo: 0 } },
    ]);
    expect(timing.compute).toBe(0.02);
    expect(asked).toHaveLength(1);
  });

  test("outputs of a wrong size are an error, not a wrong number", async () => {
    const { runtime } = recorded({ label: { data: ["Gentoo"], shape: [1] }, probabilities: { data: new Float32Array(2), shape: [1, 2] } });
    await expect(new Model(runtime, loaded).predict([row])).rejects.toMatchObject({ code: "bad_model", field: "probabilities" });
  });

  test("a foreign model has no signature and says what to do", () => {
    const { runtime } = recorded({});
    const foreign = new Model(runtime, { ...loaded, metadata: {}, inputs: [{ name: "X", dtype: "float32", shape: [-1, 4] }] });
    expect(() => foreign.signature).toThrow(expect.objectContaining({ code: "unsupported", hint: "call run with tensors for X" }) as Error);
  });
});

test.each(["{", "[]", '{"task":"poetry","target":"x","inputs":[]}', '{"task":"regression","target":"x","inputs":[{"name":1}]}'])(
  "metadata %s is refused",
  (text) => {
    expect(() => readSignature({ [signatureKey]: text })).toThrow(JarvisError);
  },
);

test("errors of the guest keep code, hint and field", () => {
  const thrown = Object.assign(new Error("X: unknown operator"), { code: "unsupported", hint: "see the list", field: "X" });
  expect(JarvisError.from(thrown)).toMatchObject({ code: "unsupported", hint: "see the list", field: "X", message: "X: unknown operator" });
  expect(JarvisError.from("boom").code).toBe("internal");
});

describe("pictures and sequences", () => {
  const looking: Signature = {
    task: "regression",
    target: "y",
    inputs: [
      { name: "photo", type: "uint8", kind: "image", shape: [-1, -1, 3], missing: 0 },
      { name: "steps", type: "float32", kind: "sequence", shape: [-1, 2], missing: 0 },
      { name: "note", type: "string", kind: "text", missing: 0 },
    ],
  };
  const photo = { width: 2, height: 1, data: new Uint8Array([1, 2, 3, 4, 5, 6]) };
  const given = { photo, steps: [[1, 2], [3, 4]], note: "a few words" };

  test("become tensors of their shapes, filled up to the longest", () => {
    const tensors = encodeRows(looking, [given, { ...given, steps: [[5, 6]] }]);
    expect(tensors["photo"]).toEqual({ data: new Uint8Array([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]), shape: [2, 1, 2, 3], dtype: "uint8" });
    expect(tensors["steps"]).toEqual({ data: new Float32Array([1, 2, 3, 4, 5, 6, NaN, NaN]), shape: [2, 2, 2], dtype: "float32" });
    expect(tensors["note"]).toEqual({ data: ["a few words", "a few words"], shape: [2, 1], dtype: "string" });
  });

  test.each<[string, Row, string]>([
    ["no picture", { ...given, photo: null }, "photo"],
    ["a picture of another depth", { ...given, photo: { ...photo, data: new Uint8Array(2) } }, "photo"],
    ["a number as picture", { ...given, photo: 3 }, "photo"],
    ["no steps", { ...given, steps: [] }, "steps"],
    ["steps of another width", { ...given, steps: [[1, 2], [3]] }, "steps"],
    ["numbers for steps", { ...given, steps: [1, 2] }, "steps"],
    ["a text as sequence", { ...given, steps: "[[1,2]]" }, "steps"],
    ["a hole", { ...given, steps: [[1, null as unknown as number]] }, "steps"],
    ["more than a float32 holds", { ...given, steps: [[1, 1e300]] }, "steps"],
    ["a number as text", { ...given, note: 1 }, "note"],
  ])("%s is refused", (_, row, field) => {
    expect(checkRows(looking, [row]).map((problem) => problem.field)).toEqual([field]);
  });

  test("the file of a picture is fine for a server, and not decoded here", () => {
    const file = { ...given, photo: "data:image/png;base64,AAAA" };
    expect(checkRows(looking, [file])).toEqual([]);
    expect(() => encodeRows(looking, [file])).toThrow("photo: the file of a picture is not decoded here");
    expect(() => encodeRows(looking, [given, { ...given, photo: { width: 1, height: 2, data: photo.data } }])).toThrow("pictures of several sizes");
  });

  test("a signature without their shape is refused", () => {
    const { shape: _, ...bare } = looking.inputs[0] as Input;
    expect(() => readSignature({ [signatureKey]: JSON.stringify({ ...looking, inputs: [bare] }) })).toThrow(JarvisError);
    expect(readSignature({ [signatureKey]: JSON.stringify(looking) })).toEqual(looking);
  });
});
