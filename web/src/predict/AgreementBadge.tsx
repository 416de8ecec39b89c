import type { JarvisError } from "../jarvis/index.js";
import { scientific } from "../shell/format.js";
import { Alert, Check, Differ, Offline, Wait } from "../shell/icons.js";
import { sentence } from "../shell/Failure.js";
import { tolerance, type Agreement } from "./agreement.js";

/** What can be said of the two answers. */
export type Verdict =
  | { kind: "waiting" | "asking" | "changed" }
  | { kind: "alone" | "refused"; error: JarvisError }
  | { kind: "compared"; agreement: Agreement };

export function AgreementBadge({ verdict }: { verdict: Verdict }) {
  const { tone, icon, title, detail } = describe(verdict);
  return (
    <div className={`verdict ${tone}`} data-testid="agreement" data-state={tone} data-difference={verdict.kind === "compared" ? verdict.agreement.difference : undefined}>
      <span className="verdict-icon">{icon}</span>
      <div>
        <strong>{title}</strong>
        <span>{detail}</span>
      </div>
    </div>
  );
}

function describe(verdict: Verdict) {
  switch (verdict.kind) {
    case "compared": {
      const { agree, rows, differing, difference } = verdict.agreement;
      const many = rows === 1 ? "" : `${rows.toLocaleString("en")} rows, `;
      if (agree) {
        const detail = difference === 0 ? "identical to the last bit" : `largest difference ${scientific(difference)}, allowed ${scientific(tolerance)}`;
        return { tone: "agree", icon: <Check size={22} />, title: "Page and server agree", detail: many + detail };
      }
      const which = rows === 1 ? "" : `${differing.length} of ${rows.toLocaleString("en")} rows, `;
      return { tone: "differ", icon: <Differ size={22} />, title: "Page and server differ", detail: `${which}largest difference ${scientific(difference)}` };
    }
    case "asking":
      return { tone: "idle", icon: <Wait size={22} />, title: "Asking the server", detail: "the page has answered already" };
    case "changed":
      return { tone: "idle", icon: <Wait size={22} />, title: "Values have changed", detail: "press Predict to compare again" };
    case "waiting":
      return { tone: "idle", icon: <Wait size={22} />, title: "One model, two places", detail: "press Predict to compare page and server" };
    case "alone":
      return { tone: "alone", icon: <Offline size={22} />, title: "The server cannot be reached", detail: "the page goes on alone, with the model that it has loaded" };
    case "refused":
      return { tone: "differ", icon: <Alert size={22} />, title: "The server refused these values", detail: sentence(verdict.error.message) };
  }
}
