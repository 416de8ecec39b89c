import { afterEach, describe, expect, test, vi } from "vitest";
import { penguins, row } from "../jarvis/testdata.js";
import { resultsCSV } from "./export.js";
import { fitRows, maxRows, parseRows } from "./parse.js";
import { rowsPerRequest, runServer, sift } from "./run.js";
import { sampleCSV } from "./sample.js";

describe("parsing", () => {
  test.each([
    ["commas", "a,b\n1,x\n2,y\n"],
    ["tabs and CRLF", "a\tb\r\n1\tx\r\n2\ty"],
    ["semicolons and a byte-order mark", "\uFEFFa;b\n1;x\n\n2;y\n"],
    ["quotes", '"a","b"\n"1","x"\n2,"y"\n'],
  ])("%s", (_, text) => {
    const { rows, columns } = parseRows(text);
    expect(columns).toEqual(["a", "b"]);
    expect(rows).toEqual([{ a: "1", b: "x" }, { a: "2", b: "y" }]);
  });

  test("quoted fields hold delimiters, quotes and line ends, and lines are counted through them", () => {
    const { rows, lines } = parseRows('a,b\n"x, ""y""\nz",1\n\n"",2');
    expect(rows).toEqual([{ a: 'x, "y"\nz', b: "1" }, { a: "", b: "2" }]);
    expect(lines).toEqual([2, 5]);
  });

  test.each([
    ["[{\"a\":1},{\"a\":null}]", [{ a: 1 }, { a: null }]],
    ["{\"rows\":[{\"a\":1}]}", [{ a: 1 }]],
    ["{\"a\":1}\n{\"a\":2}\n", [{ a: 1 }, { a: 2 }]],
    ["{\"a\":1}", [{ a: 1 }]],
  ])("JSON %s", (text, rows) => {
    expect(parseRows(text).rows).toEqual(rows);
  });

  test.each([
    ["", "there are no rows"],
    ["a,b\n", "a header, but no rows"],
    ["a,b\n1,2\n1,2,3\n", "line 3 has 3 fields, the header has 2"],
    ['a,b\n1,"x\n', "line 2: a quote is never closed"],
    ['a,b\n"x"y,1\n', "line 2: text after a closing quote"],
    ["a,a\n1,2\n", 'two columns are called "a"'],
    ["[1,2]", "row 1 is not an object"],
    ["[{]", "this is not JSON"],
    ["{\"a\":1}\n{\"a\":}\n", "line 2 is not JSON"],
    [`a\n${"1\n".repeat(maxRows + 1)}`, `${maxRows + 1} rows; at most ${maxRows}`],
  ])("%j is refused", (text, message) => {
    expect(() => parseRows(text)).toThrow(message);
  });
});

describe("fitting rows to the signature", () => {
  const header = "species,island,bill.length (mm),body_mass_g,clutch,egg,note";

  test("reads each column as its kind, keeps the target aside and leaves out the rest", () => {
    const batch = fitRows(penguins, parseRows(`${header}\nAdelie,Dream,40.5,NA,Yes,2008-11-09,hi\n`));
    expect(batch.rows).toEqual([{ ...row, body_mass_g: null }]);
    expect(batch.truth).toEqual(["Adelie"]);
    expect(batch.ignored).toEqual(["note"]);
  });

  test("NA is a missing value in CSV and a text in JSON", () => {
    const json = fitRows(penguins, parseRows(JSON.stringify([{ ...row, island: "NA" }])));
    expect(json.rows[0]?.["island"]).toBe("NA");
  });

  test("what is no number stays as it is and is named by its row", () => {
    const batch = fitRows(penguins, parseRows(`${header}\nA,Dream,x,1,Yes,2008-11-09,\nA,Dream,2,1,Yes,2008-11-09,\n`));
    const { good, problems } = sift(penguins, batch.rows);
    expect(good).toEqual([1]);
    expect(problems).toMatchObject([{ row: 0, field: "bill.length (mm)" }]);
  });

  test("a file without a needed column, or without any, is refused", () => {
    expect(() => fitRows(penguins, parseRows("island\nDream\n"))).toThrow("the file lacks egg");
    expect(() => fitRows(penguins, parseRows("x\n1\n"))).toThrow("no column of the file is an input");
  });

  test("the sample fits", () => {
    const batch = fitRows(penguins, parseRows(sampleCSV(penguins)));
    expect(sift(penguins, batch.rows).good).toEqual([0, 1]);
  });
});

describe("the server's side", () => {
  afterEach(() => vi.unstubAllGlobals());

  /** A server that refuses rows whose island is "bad", one at a time as the real one does. */
  function serve() {
    const requests: number[] = [];
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
      const { rows } = JSON.parse(init.body as string) as { rows: { island: string }[] };
      requests.push(rows.length);
      const bad = rows.findIndex((one) => one.island === "bad");
      if (bad >= 0) {
        return Response.json({ detail: "no", code: "invalid", errors: [{ location: `rows[${bad}].island`, message: "is bad" }] }, { status: 422 });
      }
      return Response.json({ version: 1, predictions: rows.map(() => ({ prediction: 1 })) });
    });
    return requests;
  }

  test("asks in bounded requests and answers the rows around a refused one", async () => {
    const requests = serve();
    const rows = Array.from({ length: rowsPerRequest + 10 }, (_, i) => ({ island: i === 3 || i === rowsPerRequest + 1 ? "bad" : "ok" }));
    const done: number[] = [];
    const side = await runServer("m", 1, rows, [...rows.keys()], new AbortController().signal, (n) => done.push(n));
    expect(requests).toEqual([rowsPerRequest, rowsPerRequest - 1, 10, 9]);
    expect(side.problems).toEqual([
      { row: 3, field: "island", message: "is bad" },
      { row: rowsPerRequest + 1, field: "island", message: "is bad" },
    ]);
    expect(side.predictions.filter((one) => one === undefined)).toHaveLength(2);
    expect(done).toEqual([rowsPerRequest, rowsPerRequest + 10]);
  });

  test("gives up on a server that refuses row after row", async () => {
    const requests = serve();
    const rows = Array.from({ length: 100 }, () => ({ island: "bad" }));
    const side = await runServer("m", 1, rows, [...rows.keys()], new AbortController().signal, () => undefined);
    expect(side.error?.code).toBe("invalid");
    expect(requests.length).toBeLessThan(30);
  });

  test("an unreachable server is an error of the side, not of the page", async () => {
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    const side = await runServer("m", 1, [{ island: "ok" }], [0], new AbortController().signal, () => undefined);
    expect(side.error).toMatchObject({ code: "unreachable" });
  });
});

test("the download has both sides and the difference", () => {
  const csv = resultsCSV(
    [2, 3],
    [{ label: "A, b", probabilities: { "A, b": 0.75, c: 0.25 } }, undefined],
    [{ label: "A, b", probabilities: { "A, b": 0.5, c: 0.5 } }, undefined],
  );
  expect(csv).toBe(
    'line,label,"probability_A, b",probability_c,server_label,"server_probability_A, b",server_probability_c,difference\n' +
      '2,"A, b",0.75,0.25,"A, b",0.5,0.5,0.25\n3,,,,,,,\n',
  );
});
