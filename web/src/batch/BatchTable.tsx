import { Pagination, SegmentedControl } from "@mantine/core";
import { useMemo, useState } from "react";
import type { Prediction, Signature } from "../jarvis/index.js";
import { distance, tolerance } from "../predict/agreement.js";
import { percent, plainNumber, scientific } from "../shell/format.js";
import type { Outcome } from "./BatchTab.js";

const perPage = 25;
type Filter = "all" | "differ" | "wrong";

/** The rows with both answers; 25 at a time, and those that differ or are wrong on their own. */
export function BatchTable({ outcome, signature }: { outcome: Outcome; signature: Signature }) {
  const [filter, setFilter] = useState<Filter>("all");
  const [at, setAt] = useState(1);
  const { all, differ, wrong } = useMemo(() => sort(outcome), [outcome]);
  const chosen = { all, differ, wrong }[filter];
  const pages = Math.max(1, Math.ceil(chosen.length / perPage));
  const page = Math.min(at, pages);
  const shown = chosen.slice((page - 1) * perPage, page * perPage);
  return (
    <section className="panel table-panel">
      <div className="panel-head">
        <h2 id="results-heading">Row by row</h2>
        <SegmentedControl
          size="xs"
          aria-label="Rows to show"
          value={filter}
          onChange={(next) => {
            setFilter(next as Filter);
            setAt(1);
          }}
          data={[
            { value: "all", label: `All ${all.length}` },
            { value: "differ", label: `Differ ${differ.length}`, disabled: differ.length === 0 },
            { value: "wrong", label: `Wrong ${wrong.length}`, disabled: wrong.length === 0 },
          ]}
        />
      </div>
      <div className="scroll" tabIndex={0} role="region" aria-labelledby="results-heading">
        <table data-testid="results">
          <thead>
            <tr>
              <th scope="col" className="num">
                Line
              </th>
              <th scope="col">In this page</th>
              <th scope="col">On the server</th>
              <th scope="col">Difference</th>
              {outcome.batch.truth && <th scope="col">{signature.target}</th>}
              {signature.inputs.map((input) => (
                <th scope="col" className={input.kind === "number" ? "num" : ""} key={input.name}>
                  {input.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((i) => (
              <ResultRow key={i} i={i} outcome={outcome} signature={signature} />
            ))}
          </tbody>
        </table>
      </div>
      {pages > 1 && (
        <Pagination
          total={pages}
          value={page}
          onChange={setAt}
          size="sm"
          mt="sm"
          getControlProps={(control) => ({ "aria-label": `${control} page` })}
          getItemProps={(number) => ({ "aria-label": `page ${number}` })}
        />
      )}
    </section>
  );
}

function sort({ batch, page, server, wrong }: Outcome) {
  const all = batch.rows.map((_, i) => i);
  const differ = all.filter((i) => {
    const [a, b] = [page.predictions[i], server?.predictions[i]];
    return a !== undefined && b !== undefined && !same(a, b);
  });
  return { all, differ, wrong: all.filter((i) => wrong.has(i)) };
}

function same(a: Prediction, b: Prediction): boolean {
  return distance(a, b) <= tolerance && ("label" in a ? "label" in b && a.label === b.label : true);
}

function ResultRow({ i, outcome, signature }: { i: number; outcome: Outcome; signature: Signature }) {
  const { batch, page, server, wrong } = outcome;
  const [a, b] = [page.predictions[i], server?.predictions[i]];
  const messages = wrong.get(i);
  const truth = batch.truth?.[i];
  return (
    <tr data-wrong={messages !== undefined}>
      <td className="num dim">{batch.lines[i]}</td>
      {messages ? (
        <td colSpan={3} className="row-problem">
          {messages.join("; ")}
        </td>
      ) : (
        <>
          <td>
            <Said one={a} />
          </td>
          <td>
            <Said one={b} />
          </td>
          <td className={a && b && !same(a, b) ? "differs" : "dim"}>{a && b ? scientific(distance(a, b)) : "—"}</td>
        </>
      )}
      {truth !== undefined && <td className={a && "label" in a && a.label !== truth ? "missed" : ""}>{truth || <span className="dim">—</span>}</td>}
      {signature.inputs.map((input) => {
        const value = batch.rows[i]?.[input.name];
        return (
          <td key={input.name} className={input.kind === "number" ? "num" : ""}>
            {value === null || value === undefined ? <span className="dim">missing</span> : String(value)}
          </td>
        );
      })}
    </tr>
  );
}

function Said({ one }: { one: Prediction | undefined }) {
  if (!one) return <span className="dim">—</span>;
  if ("prediction" in one) return plainNumber(one.prediction);
  return (
    <>
      {one.label} <span className="dim">{percent(one.probabilities[one.label] ?? Number.NaN)}</span>
    </>
  );
}
