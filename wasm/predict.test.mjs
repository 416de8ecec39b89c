// Runs the browser predictor in node, as a page does: node predict.test.mjs WASM WASM_EXEC.JS MODEL_DIR TOKEN_DIR
// MODEL_DIR has NAME.onnx beside NAME.json with inputs and the outputs that onnxruntime gave; TOKEN_DIR has texts.json, and tokenizers NAME.onnx
// beside NAME.json, the ids that onnxruntime gave.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { brotliCompressSync, gzipSync, constants } from "node:zlib";

const [wasmFile, wasmExec, models, tokenizers] = process.argv.slice(2);
// A page with a strict content security policy has no eval; nor has this.
globalThis.eval = undefined;
globalThis.Function = new Proxy(Function, { construct: () => { throw new EvalError("no eval"); }, apply: () => { throw new EvalError("no eval"); } });
createRequire(import.meta.url)(wasmExec);

const wasm = readFileSync(wasmFile);
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 } };
const sizes = { plain: wasm.length, gzip: gzipSync(wasm, { level: 9 }).length, brotli: brotliCompressSync(wasm, quality).length };

const go = new Go();
const { instance } = await WebAssembly.instantiate(wasm, go.importObject);
const ready = new Promise((resolve) => { globalThis.jarvisReady = resolve; });
go.run(instance).then(() => { throw new Error("the predictor ended"); });
await ready;
const { load, run, unload } = globalThis.jarvisPredict;

function thrown(f) {
  try { f(); } catch (e) { return e; }
  assert.fail("nothing was thrown");
}

/** Nested arrays as {data, shape}; numbers as Float32Array. */
function tensor(rows) {
  const data = rows.flat();
  return { data: typeof data[0] === "string" ? data : Float32Array.from(data), shape: [rows.length, rows[0].length] };
}

let worst = 0;
const names = readdirSync(models).filter((f) => f.endsWith(".onnx")).map((f) => f.slice(0, -5));
assert.ok(names.length > 0, "no models");
for (const name of names) {
  const golden = JSON.parse(readFileSync(`${models}/${name}.json`));
  const model = load(new Uint8Array(readFileSync(`${models}/${name}.onnx`)));
  assert.deepEqual(model.inputs.map((p) => p.name).sort(), Object.keys(golden.inputs).sort());
  assert.equal(model.inputs.find((p) => p.name === "island").dtype, "string");
  assert.deepEqual(model.inputs[0].shape, [-1, 1]);
  assert.equal(typeof model.metadata, "object");
  const inputs = Object.fromEntries(Object.entries(golden.inputs).map(([k, rows]) => [k, tensor(rows)]));
  const got = run(model.id, inputs);
  for (const [output, want] of Object.entries(golden.outputs)) {
    const flat = want.flat();
    assert.equal(got[output].data.length, flat.length);
    flat.forEach((w, i) => {
      const g = got[output].data[i];
      if (typeof w === "string") return assert.equal(g, w);
      worst = Math.max(worst, Math.abs(g - w));
      assert.ok(Math.abs(g - w) < 1e-5, `${name} ${output}[${i}]: ${g}, want ${w}`);
    });
  }
  // A plain array of numbers is converted to what the model wants.
  const plain = run(model.id, { ...inputs, body_mass_g: { data: golden.inputs.body_mass_g.flat(), shape: inputs.body_mass_g.shape } });
  assert.deepEqual([...plain.probabilities.data], [...got.probabilities.data]);

  // Wrong inputs: an Error that names the input, and the instance lives on.
  const { island, ...rest } = inputs;
  let e = thrown(() => run(model.id, rest));
  assert.ok(e instanceof Error);
  assert.equal(e.code, "invalid");
  assert.equal(e.field, "island");
  assert.match(e.message, /missing/);
  assert.notEqual(e.hint, "");
  for (const bad of [null, undefined, 1, "x", {}, { data: island.data }, { data: island.data, shape: [1, 1] }, { data: [1], shape: [1, 1] },
    { data: island.data, shape: [2 ** 31, 2 ** 31] }, { data: island.data, shape: [-1] }, { data: island.data, shape: [0.5] },
    { data: island.data, shape: "ab" }, { data: new DataView(new ArrayBuffer(8)), shape: [1, 1] }, { data: new Float32Array(17), shape: [17, 1] },
    ]) {
    e = thrown(() => run(model.id, { ...inputs, island: bad }));
    assert.ok(["invalid", "internal", "too_large"].includes(e.code), `${e.code}: ${e.message}`);
  }
  assert.equal(thrown(() => run(model.id)).code, "invalid");
  assert.equal(thrown(() => run(model.id, { ...inputs, extra: island })).field, "extra");
  assert.deepEqual(run(model.id, inputs), got);

  unload(model.id);
  assert.equal(thrown(() => run(model.id, inputs)).code, "not_found");
  assert.equal(thrown(() => unload(model.id)).code, "not_found");
}

// Tokenizers take strings.
const texts = JSON.parse(readFileSync(`${tokenizers}/texts.json`));
for (const file of readdirSync(tokenizers).filter((f) => f.endsWith(".onnx"))) {
  const model = load(new Uint8Array(readFileSync(`${tokenizers}/${file}`)));
  const { ids } = run(model.id, { text: { data: texts, shape: [texts.length, 1] } });
  const want = JSON.parse(readFileSync(`${tokenizers}/${file.replace(".onnx", ".json")}`));
  assert.deepEqual(ids.shape, [want.length, want[0].length]);
  assert.deepEqual([...ids.data].map(Number), want.flat(), file);
  unload(model.id);
}

// Files that are no models.
for (const bad of [undefined, null, 7, "text", {}]) assert.equal(thrown(() => load(bad)).code, "invalid");
for (const bad of [new Uint8Array(), new Uint8Array([1, 2, 3]), new TextEncoder().encode("<html>"), readFileSync(`${models}/${names[0]}.onnx`).subarray(0, 500)]) {
  const e = thrown(() => load(bad));
  assert.equal(e.code, "bad_model");
  assert.notEqual(e.hint, "");
}

// Speed of one row, in microseconds.
const golden = JSON.parse(readFileSync(`${models}/logistic.json`));
const model = load(new Uint8Array(readFileSync(`${models}/logistic.onnx`)));
const row = Object.fromEntries(Object.entries(golden.inputs).map(([k, rows]) => [k, tensor(rows.slice(0, 1))]));
for (let i = 0; i < 50; i++) run(model.id, row);
const start = performance.now();
for (let i = 0; i < 200; i++) run(model.id, row);
console.log(JSON.stringify({ sizes, worst, row_us: Math.round(((performance.now() - start) / 200) * 1000) }));
process.exit(0);
