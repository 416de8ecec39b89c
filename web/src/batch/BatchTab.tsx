import { Button, Group, Progress, Text, Textarea } from "@mantine/core";
import { useId, useRef, useState, type DragEvent } from "react";
import { JarvisError, type Model } from "../jarvis/index.js";
import { compare } from "../predict/agreement.js";
import { AgreementBadge, type Verdict } from "../predict/AgreementBadge.js";
import { sentence } from "../shell/Failure.js";
import { milliseconds, percent } from "../shell/format.js";
import { Alert, Down, Drop } from "../shell/icons.js";
import { BatchTable } from "./BatchTable.js";
import { resultsCSV } from "./export.js";
import { fitRows, maxBytes, maxRows, parseRows, type Batch } from "./parse.js";
import { runPage, runServer, sift, type Side } from "./run.js";
import { sampleCSV } from "./sample.js";

export interface Outcome {
  batch: Batch;
  page: Side;
  server: Side | undefined;
  /** Messages by row number, from the page's own checks and from the server. */
  wrong: Map<number, string[]>;
}

/** Pasted or dropped rows, predicted in the page and on the server, and compared one by one. */
export function BatchTab({ name, version, model }: { name: string; version: number; model: Model }) {
  const { signature } = model;
  const label = useId();
  const picker = useRef<HTMLInputElement>(null);
  const stop = useRef<AbortController>(undefined);
  const [text, setText] = useState("");
  const [over, setOver] = useState(false);
  const [error, setError] = useState<JarvisError>();
  const [outcome, setOutcome] = useState<Outcome>();
  const [done, setDone] = useState<number>();

  const run = async (source: string) => {
    setError(undefined);
    setOutcome(undefined);
    const control = new AbortController();
    stop.current = control;
    try {
      const batch = fitRows(signature, parseRows(source));
      const { good, problems } = sift(signature, batch.rows);
      const wrong = new Map<number, string[]>();
      const note = (list: Side["problems"]) => {
        for (const { row, field, message } of list) {
          if (row !== undefined) wrong.set(row, [...(wrong.get(row) ?? []), field ? `${field} ${message}` : message]);
        }
      };
      note(problems);
      setDone(0);
      const page = await runPage(model, batch.rows, good);
      setOutcome({ batch, page, server: undefined, wrong: new Map(wrong) });
      const server = await runServer(name, version, batch.rows, good, control.signal, setDone);
      note(server.problems);
      setOutcome({ batch, page, server, wrong });
    } catch (thrown) {
      setError(JarvisError.from(thrown));
    } finally {
      setDone(undefined);
    }
  };

  const open = async (file: File | undefined) => {
    if (!file) return;
    if (file.size > maxBytes) {
      setError(new JarvisError("too_large", `${file.name} has more than ${maxBytes >> 20} MB`, { hint: "use jarvis predict for large files" }));
      return;
    }
    try {
      const content = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      setText(content);
      await run(content);
    } catch (thrown) {
      setError(new JarvisError("bad_data", `${file.name} is not text in UTF-8`, { hint: "Parquet and other encodings: use jarvis predict", cause: thrown }));
    }
  };

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void open(event.dataTransfer.files[0]);
  };

  return (
    <div className="batch">
      <section
        className="panel drop"
        data-over={over}
        aria-labelledby={label}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <div className="panel-head">
          <h2 id={label}>Rows</h2>
          <Group gap="xs">
            <Button variant="subtle" color="gray" size="compact-sm" onClick={() => setText(sampleCSV(signature))}>
              Insert an example
            </Button>
            <Button variant="light" size="compact-sm" leftSection={<Drop size={15} />} onClick={() => picker.current?.click()}>
              Open a file
            </Button>
          </Group>
        </div>
        <input ref={picker} type="file" hidden accept=".csv,.tsv,.txt,.json,.jsonl,.ndjson" data-testid="file" onChange={(event) => { void open(event.currentTarget.files?.[0]); event.currentTarget.value = ""; }} />
        <Textarea
          aria-label="Rows as CSV or JSON"
          placeholder={`Paste CSV with a header, or JSON, or drop a file here.\n\n${sampleCSV(signature)}`}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          rows={8}
          spellCheck={false}
          classNames={{ input: "rows-text" }}
          error={error && <BatchError error={error} />}
        />
        <div className="form-foot">
          <Button onClick={() => void run(text)} loading={done !== undefined} disabled={text.trim() === ""}>
            Predict all
          </Button>
          <Text size="sm" c="dimmed">
            Up to {maxRows.toLocaleString("en")} rows. Columns that the model does not take are left out.
          </Text>
        </div>
      </section>
      {done !== undefined && outcome && (
        <div className="running" role="status">
          <Progress value={(100 * done) / Math.max(1, outcome.batch.rows.length)} aria-label="Rows answered by the server" />
          <Button variant="subtle" color="gray" size="compact-sm" onClick={() => stop.current?.abort()}>
            Stop
          </Button>
        </div>
      )}
      {outcome && <Results outcome={outcome} model={model} name={name} running={done !== undefined} />}
    </div>
  );
}

function BatchError({ error }: { error: JarvisError }) {
  return (
    <span role="alert" className="batch-error">
      <Alert size={16} /> {sentence(error.message)} {error.hint && <span className="dim">{sentence(error.hint)}</span>}
    </span>
  );
}

function Results({ outcome, model, name, running }: { outcome: Outcome; model: Model; name: string; running: boolean }) {
  const { batch, page, server, wrong } = outcome;
  const both = batch.rows.flatMap((_, i) => (page.predictions[i] && server?.predictions[i] ? [i] : []));
  const verdict = judge(outcome, both, running);
  const answered = page.predictions.filter((one) => one !== undefined).length;
  return (
    <>
      <section className="batch-summary" aria-label="Summary" aria-live="polite">
        <AgreementBadge verdict={verdict} />
        <DownloadButton outcome={outcome} name={name} disabled={running} />
        <dl className="headlines">
          <Fact title="In this page" value={page.error ? "failed" : milliseconds(page.total)} detail={page.error ? sentence(page.error.message) : `${rate(answered, page.total)}, ${milliseconds(page.compute ?? 0)} in WebAssembly`} />
          {server && <Fact title="On the server" value={both.length > 0 ? milliseconds(server.total) : "no answer"} detail={both.length > 0 ? rate(both.length, server.total) : sentence(server.error?.message ?? "no row was answered")} />}
          {batch.truth && <Right batch={batch} page={page} target={model.signature.target} />}
          {wrong.size > 0 && <Fact title="Left out" value={String(wrong.size)} detail={wrong.size === 1 ? "row is wrong, see below" : "rows are wrong, see below"} />}
        </dl>
      </section>
      {batch.ignored.length > 0 && (
        <Text size="sm" c="dimmed">
          Not inputs of the model, so left out: {batch.ignored.join(", ")}.
        </Text>
      )}
      <BatchTable outcome={outcome} signature={model.signature} />
    </>
  );
}

function judge({ page, server }: Outcome, both: number[], running: boolean): Verdict {
  if (running || !server) return { kind: "asking" };
  const stopped = server.error;
  if (stopped && (stopped.code === "unreachable" || stopped.code === "unavailable")) return { kind: "alone", error: stopped };
  if (stopped) return { kind: "refused", error: stopped };
  if (both.length === 0) return { kind: "waiting" };
  return {
    kind: "compared",
    agreement: compare(both.flatMap((i) => page.predictions[i] ?? []), both.flatMap((i) => server.predictions[i] ?? [])),
  };
}

function rate(rows: number, ms: number): string {
  const each = (1000 * rows) / Math.max(ms, 0.001);
  return `${rows.toLocaleString("en")} rows, ${Number(each.toPrecision(2)).toLocaleString("en")} a second`;
}

/** How often the label is the one in the file's target column. */
function Right({ batch, page, target }: { batch: Batch; page: Side; target: string }) {
  let right = 0;
  let seen = 0;
  for (const [i, one] of page.predictions.entries()) {
    if (!one || !("label" in one) || !batch.truth?.[i]) continue;
    seen++;
    if (one.label === batch.truth[i]) right++;
  }
  if (seen === 0) return null;
  return <Fact title="Right" value={percent(right / seen)} detail={`${right} of ${seen} as in the column ${target}`} />;
}

function Fact({ title, value, detail }: { title: string; value: string; detail: string }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd>
        <span className="big">{value}</span>
        <span className="dim">{detail}</span>
      </dd>
    </div>
  );
}

function DownloadButton({ outcome, name, disabled }: { outcome: Outcome; name: string; disabled: boolean }) {
  const download = () => {
    const csv = resultsCSV(outcome.batch.lines, outcome.page.predictions, outcome.server?.predictions ?? []);
    const url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${name}-predictions.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  return (
    <Button variant="light" onClick={download} disabled={disabled} leftSection={<Down size={16} />}>
      Download all as CSV
    </Button>
  );
}
