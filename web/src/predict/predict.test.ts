import { describe, expect, test } from "vitest";
import { fromProblem, readLocation } from "../api/problem.js";
import type { Input, Prediction, Signature } from "../jarvis/index.js";
import { penguins } from "../jarvis/testdata.js";
import { compare, distance } from "./agreement.js";
import { initialFields, outside, placeProblems, plain, readFields, readNumber, stepOf } from "./fields.js";
import { median } from "./median.js";
import { fromRGBA } from "./pixels.js";

describe("the form", () => {
  test("opens with the examples, which are valid", () => {
    const { row, problems } = readFields(penguins, initialFields(penguins));
    expect(problems).toEqual({});
    expect(row).toEqual({ island: "Biscoe", "bill.length (mm)": 44.5, body_mass_g: 4050, clutch: "Yes", egg: "2008-11-09" });
  });

  test("sends null for what is marked as missing", () => {
    const fields = { ...initialFields(penguins), body_mass_g: { text: "4050", missing: true } };
    expect(readFields(penguins, fields).row["body_mass_g"]).toBeNull();
  });

  test("takes a category that training never saw", () => {
    const fields = { ...initialFields(penguins), island: { text: "Coronation", missing: false } };
    expect(readFields(penguins, fields)).toMatchObject({ row: { island: "Coronation" }, problems: {} });
  });

  test("says at which field something is wrong", () => {
    const fields = { ...initialFields(penguins), body_mass_g: { text: "heavy", missing: false }, egg: { text: "", missing: false } };
    expect(readFields(penguins, fields).problems).toEqual({
      body_mass_g: 'Must be a number, not "heavy"',
      egg: "Enter a value, or mark it as missing",
    });
  });

  test.each<[string, number | string]>([["3,5", 3.5], ["-1e3", -1000], ["1,000.5", "1,000.5"], ["0x", "0x"], [" ", " "]])("reads %j as %j", (text, value) => {
    expect(readNumber(text)).toBe(value);
  });

  test.each<[Partial<Input>, number]>([
    [{ min: 32.1, max: 59.6, example: 44.5 }, 0.2],
    [{ min: 2700, max: 6300, example: 4050 }, 20],
    [{ min: 0, max: 3, example: 1 }, 1],
    [{ min: 0.001, max: 0.002, example: 0.0015 }, 0.00001],
    [{ min: 5, max: 5 }, 1],
    [{}, 1],
  ])("steps through %j by %d", (given, step) => {
    expect(stepOf({ name: "x", type: "float32", kind: "number", missing: 0, ...given })).toBeCloseTo(step, 12);
  });

  test("warns outside the training range, not at its ends", () => {
    const input: Input = { name: "x", type: "float32", kind: "number", min: 1, max: 2, missing: 0 };
    expect([0.9, 1, 2, 2.1, "text"].map((value) => outside(input, value))).toEqual([true, false, false, true, false]);
  });

  test("shows float32 numbers without their noise", () => {
    expect(plain(39.099998474121094)).toBe("39.1");
    expect(plain(16777217.5)).toBe("16777217.5");
  });
});

describe("pictures, sequences and texts in the form", () => {
  const looking: Signature = {
    task: "regression",
    target: "y",
    inputs: [
      { name: "photo", type: "uint8", kind: "image", shape: [-1, -1, 1], missing: 0.5 },
      { name: "steps", type: "float32", kind: "sequence", shape: [-1, 1], missing: 0 },
      { name: "pairs", type: "float32", kind: "sequence", shape: [-1, 2], missing: 0 },
    ],
  };

  test("a sequence opens with one that is valid, a picture with none", () => {
    const { row, problems } = readFields(looking, initialFields(looking));
    expect(row).toEqual({ photo: null, steps: [0, 0, 0], pairs: [[0, 0], [0, 0], [0, 0]] });
    expect(problems).toEqual({ photo: "Choose a picture" });
  });

  test("what is no list of numbers is said at its field", () => {
    const fields = { photo: { text: "data:image/png;base64,AAAA", missing: false }, steps: { text: "[1, 2", missing: false }, pairs: { text: "[[1, 2], [3]]", missing: false } };
    expect(readFields(looking, fields).problems).toEqual({
      steps: "Must be a list of numbers, such as [0.5, 1, 2.25]",
      pairs: "Must be a list of steps, each a list of 2 numbers",
    });
  });

  test("colours become grey as on the server", () => {
    expect(fromRGBA([160, 100, 7, 255, 255, 255, 255, 0], 1)).toEqual(new Uint8Array([107, 255]));
    expect(fromRGBA([160, 100, 7, 255], 3)).toEqual(new Uint8Array([160, 100, 7]));
  });
});

describe("problems of the server", () => {
  test.each([
    ["body.rows[2].bill.length (mm)", { row: 2, field: "bill.length (mm)" }],
    ["rows[0].sex", { row: 0, field: "sex" }],
    ["rows[0][x]", { row: 0, field: "[x]" }],
    ["[4].sex", { row: 4, field: "sex" }],
    ["/rows/3/sex", { row: 3, field: "sex" }],
    ["rows[7]", { row: 7 }],
    ["rows", {}],
    ["body", {}],
    ["body_mass_g", { field: "body_mass_g" }],
  ])("%s", (location, where) => {
    expect(readLocation(location)).toEqual(where);
  });

  test("keep code, hint and places", () => {
    const error = fromProblem(422, {
      title: "Unprocessable Entity", status: 422, detail: "rows[0].sex: must be text", code: "invalid", hint: "quote it",
      errors: [{ location: "rows[0].sex", message: "must be text" }],
    });
    expect(error).toMatchObject({ code: "invalid", hint: "quote it", message: "rows[0].sex: must be text", field: "sex", status: 422 });
    expect(error.problems).toEqual([{ row: 0, field: "sex", message: "must be text" }]);
  });

  test.each([[401, "denied"], [404, "not_found"], [413, "too_large"], [503, "unavailable"], [500, "internal"], [400, "invalid"]])(
    "status %d without a body is %s",
    (status, code) => {
      expect(fromProblem(status, undefined)).toMatchObject({ code, message: `the server answered HTTP ${status}` });
    },
  );

  test("go to the fields that they name, and the rest above the button", () => {
    expect(
      placeProblems(penguins, [{ row: 0, field: "island", message: "must be text" }, { field: "alias", message: "is unknown" }, { message: "too late" }]),
    ).toEqual({ at: { island: "Must be text" }, rest: ["alias: is unknown", "too late"] });
  });
});

describe("agreement", () => {
  const say = (label: string, a: number): Prediction => ({ label, probabilities: { A: a, B: 1 - a } });

  test("holds within 1e-5 and with the same label", () => {
    expect(compare([say("A", 0.9)], [say("A", 0.900009)])).toMatchObject({ agree: true, differing: [] });
    expect(compare([say("A", 0.9)], [say("A", 0.90002)])).toMatchObject({ agree: false, differing: [0] });
    expect(compare([say("A", 0.5)], [say("B", 0.5)])).toMatchObject({ agree: false, difference: 0 });
  });

  test("is relative for predictions above 1", () => {
    expect(compare([{ prediction: 4000 }], [{ prediction: 4000.03 }]).agree).toBe(true);
    expect(compare([{ prediction: 4000 }], [{ prediction: 4000.05 }]).agree).toBe(false);
    expect(compare([{ prediction: 0.1 }], [{ prediction: 0.10002 }]).agree).toBe(false);
  });

  test("fails loudly on what cannot be compared", () => {
    expect(compare([say("A", 1)], [])).toMatchObject({ agree: false, difference: Infinity });
    expect(compare([say("A", 1)], [{ prediction: 1 }]).agree).toBe(false);
    expect(distance({ label: "A", probabilities: { A: 1 } }, { label: "A", probabilities: { B: 1 } })).toBe(Infinity);
    expect(compare([say("A", NaN)], [say("A", 0.5)]).agree).toBe(false);
    expect(compare([{ prediction: NaN }], [{ prediction: 1 }]).agree).toBe(false);
    expect(compare([{ prediction: NaN }], [{ prediction: NaN }]).agree).toBe(false);
  });
});

test("median", () => {
  expect(median([])).toBeUndefined();
  expect(median([3])).toBe(3);
  expect(median([9, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
