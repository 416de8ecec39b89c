import { Button, Text, VisuallyHidden } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useCallback, useId, useMemo, useRef, useState, type FormEvent } from "react";
import { predictOnServer } from "../api/client.js";
import { JarvisError, type Model, type Result, type Row, type Signature } from "../jarvis/index.js";
import { sentence } from "../shell/Failure.js";
import { milliseconds, percent, plainNumber } from "../shell/format.js";
import { Page, Server } from "../shell/icons.js";
import { compare } from "./agreement.js";
import { AgreementBadge, type Verdict } from "./AgreementBadge.js";
import { Answer } from "./Answer.js";
import { initialFields, placeProblems, readFields, type Field } from "./fields.js";
import { InputField } from "./InputField.js";
import { useMedian } from "./median.js";
import { usePagePrediction } from "./usePagePrediction.js";

interface PredictTabProps {
  name: string;
  version: number;
  signature: Signature;
  /** Nothing where the page cannot run the model: then the server alone answers. */
  model: Model | undefined;
}

/** The form, and the two answers beside it. The page answers while one types; the server is asked by the button. */
export function PredictTab({ name, version, signature, model }: PredictTabProps) {
  const heading = useId();
  const form = useRef<HTMLFormElement>(null);
  const [fields, setFields] = useState(() => initialFields(signature));
  const entered = useMemo(() => readFields(signature, fields), [signature, fields]);
  const valid = Object.keys(entered.problems).length === 0;
  const [turn, setTurn] = useState(0);
  const page = usePagePrediction(model, valid ? entered.row : undefined, turn);
  const server = useMutation({
    networkMode: "always",
    mutationFn: (row: Row) => predictOnServer(name, version, [row]),
  });
  const pageTimes = useMedian(page.result?.timing.compute);
  const totalTimes = useMedian(page.result?.timing.total);
  const serverTimes = useMedian(server.data?.roundTrip);

  const asked = server.variables;
  const current = asked !== undefined && JSON.stringify(asked) === JSON.stringify(entered.row);
  const serverError = server.error ? JarvisError.from(server.error) : undefined;
  const placed = placeProblems(signature, current && serverError ? serverError.problems : []);
  const verdict = judge(page.result, page.error, server.data?.predictions, server.isPending, serverError, current);

  const change = useCallback((input: string, field: Field) => setFields((old) => ({ ...old, [input]: field })), []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!valid) {
      form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
      return;
    }
    setTurn(turn + 1);
    server.mutate(entered.row);
  };

  return (
    <div className="two">
      <form ref={form} className="panel form" onSubmit={submit} noValidate aria-labelledby={heading}>
        <div className="panel-head">
          <h2 id={heading}>What the model sees</h2>
          <Button variant="subtle" color="gray" size="compact-sm" onClick={() => setFields(initialFields(signature))}>
            Reset to example
          </Button>
        </div>
        <div className="fields">
          {signature.inputs.map((input) => (
            <InputField
              key={input.name}
              input={input}
              field={fields[input.name] ?? { text: "", missing: false }}
              problem={entered.problems[input.name] ?? placed.at[input.name]}
              change={change}
            />
          ))}
        </div>
        {placed.rest.map((message) => (
          <Text key={message} c="var(--bad)" size="sm" role="alert">
            {sentence(message)}
          </Text>
        ))}
        <div className="form-foot">
          <Button type="submit" size="md" loading={server.isPending}>
            Predict
          </Button>
          <Text size="sm" c="dimmed">
            {model ? "The page answers as you type; the button asks the server too." : "This model takes more than the page can run, so the server alone answers."}
          </Text>
        </div>
      </form>

      <section className="answers" aria-label="Answers">
        {model && <AgreementBadge verdict={verdict} />}
        <div className="sides">
          {model && (
            <Answer
              title="In this page"
              icon={<Page />}
              tone="page"
              signature={signature}
              prediction={page.result?.predictions[0]}
              error={page.error}
              hint={valid ? "Loading…" : "Correct the marked fields first."}
              stale={!valid}
              latency={
                pageTimes !== undefined &&
                totalTimes !== undefined && (
                  <>
                    <b data-testid="page-latency">{milliseconds(pageTimes)}</b> in WebAssembly
                    <span className="dim">{milliseconds(totalTimes)} with the Worker hop</span>
                  </>
                )
              }
            />
          )}
          <Answer
            title="On the server"
            icon={<Server />}
            tone="server"
            signature={signature}
            prediction={server.data?.predictions[0]}
            error={serverError}
            hint="Press Predict to ask it."
            stale={!current}
            pending={server.isPending}
            latency={
              serverTimes !== undefined && (
                <>
                  <b data-testid="server-latency">{milliseconds(serverTimes)}</b> round trip
                  <span className="dim">request, prediction and answer</span>
                </>
              )
            }
          />
        </div>
        <VisuallyHidden role="status">{current && !server.isPending ? spoken(model ? page.result?.predictions : server.data?.predictions, verdict) : ""}</VisuallyHidden>
      </section>
    </div>
  );
}

function judge(
  page: Result | undefined,
  pageError: JarvisError | undefined,
  server: Result["predictions"] | undefined,
  pending: boolean,
  serverError: JarvisError | undefined,
  current: boolean,
): Verdict {
  if (pending) return { kind: "asking" };
  if (serverError && current) return { kind: serverError.code === "unreachable" || serverError.code === "unavailable" ? "alone" : "refused", error: serverError };
  if (!server || !current) return { kind: server ? "changed" : "waiting" };
  if (pageError || !page) return { kind: "waiting" };
  return { kind: "compared", agreement: compare(page.predictions, server) };
}

function spoken(predictions: Result["predictions"] | undefined, verdict: Verdict): string {
  const one = predictions?.[0];
  if (!one) return "";
  const answer = "label" in one ? `${one.label}, ${percent(one.probabilities[one.label] ?? Number.NaN)}` : plainNumber(one.prediction);
  const together =
    verdict.kind === "compared"
      ? verdict.agreement.agree
        ? "Page and server agree."
        : "Page and server differ."
      : verdict.kind === "alone"
        ? "The server cannot be reached."
        : verdict.kind === "refused"
          ? `The server refused: ${verdict.error.message}`
          : "";
  return `Prediction: ${answer}. ${together}`;
}
