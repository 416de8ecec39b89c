import { Loader } from "@mantine/core";
import { useId, type ReactNode } from "react";
import type { JarvisError, Prediction, Signature } from "../jarvis/index.js";
import { sentence } from "../shell/Failure.js";
import { percent, plainNumber } from "../shell/format.js";

interface AnswerProps {
  title: string;
  icon: ReactNode;
  tone: "page" | "server";
  signature: Signature;
  prediction: Prediction | undefined;
  error: JarvisError | undefined;
  /** Said while there is no answer. */
  hint: string;
  /** The answer is for earlier values. */
  stale: boolean;
  pending?: boolean;
  latency: ReactNode;
}

/** One side's answer: the label with its probabilities, or the number, and how long it took. */
export function Answer({ title, icon, tone, signature, prediction, error, hint, stale, pending, latency }: AnswerProps) {
  const heading = useId();
  return (
    <article className={`panel answer ${tone}`} aria-labelledby={heading} data-stale={stale && prediction !== undefined && !error} data-testid={`answer-${tone}`}>
      <h3 id={heading}>
        {icon} {title} {pending && <Loader size={14} aria-label="waiting for the server" />}
      </h3>
      {error && !pending ? (
        <p className="answer-none">
          {sentence(error.message)}
          {error.hint && <span className="dim">{sentence(error.hint)}</span>}
        </p>
      ) : prediction === undefined ? (
        <p className="answer-none dim">{hint}</p>
      ) : (
        <>
          <Said prediction={prediction} signature={signature} />
          {latency && <p className="latency">{latency}</p>}
          {stale && <p className="stale">for earlier values</p>}
        </>
      )}
    </article>
  );
}

/** Probability bars that are shown before the rest is summed up. */
const maxBars = 8;

function Said({ prediction, signature }: { prediction: Prediction; signature: Signature }) {
  if ("prediction" in prediction) {
    return (
      <p className="said">
        <span className="dim">{signature.target}</span>
        <output data-testid="label">{plainNumber(prediction.prediction)}</output>
      </p>
    );
  }
  const all = signature.classes ?? Object.keys(prediction.probabilities);
  // Few classes keep their order, so that both sides line up; of many the likeliest are shown.
  const shown = all.length <= maxBars ? all : all.toSorted((a, b) => (prediction.probabilities[b] ?? 0) - (prediction.probabilities[a] ?? 0)).slice(0, maxBars);
  return (
    <>
      <p className="said">
        <span className="dim">{signature.target}</span>
        <output data-testid="label">{prediction.label}</output>
      </p>
      <dl className="bars">
        {shown.map((name) => {
          const share = prediction.probabilities[name] ?? Number.NaN;
          return (
            <div key={name} data-winner={name === prediction.label}>
              <dt>{name}</dt>
              <dd data-probability={share}>{percent(share)}</dd>
              <div className="bar" aria-hidden="true">
                <div style={{ transform: `scaleX(${Number.isFinite(share) ? share : 0})` }} />
              </div>
            </div>
          );
        })}
      </dl>
      {all.length > shown.length && <p className="dim small">and {all.length - shown.length} less likely classes</p>}
    </>
  );
}
