import { useEffect, useRef, useState } from "react";
import { JarvisError, type Model, type Result, type Row } from "../jarvis/index.js";

export interface PagePrediction {
  result?: Result;
  error?: JarvisError;
}

/**
 * Predicts a row in the page whenever it changes. While one prediction is under way only the newest row waits: a slider
 * that is dragged never builds a queue.
 */
export function usePagePrediction(model: Model, row: Row | undefined): PagePrediction {
  const [state, setState] = useState<PagePrediction>({});
  const waiting = useRef<Row | undefined>(undefined);
  const busy = useRef(false);
  const shown = useRef(false);

  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);

  useEffect(() => {
    if (!row) return;
    waiting.current = row;
    const work = async () => {
      busy.current = true;
      while (waiting.current) {
        const next = waiting.current;
        waiting.current = undefined;
        const answer = await model.predict([next]).then(
          (result): PagePrediction => ({ result }),
          (thrown: unknown): PagePrediction => ({ error: JarvisError.from(thrown) }),
        );
        if (shown.current) setState(answer);
      }
      busy.current = false;
    };
    if (!busy.current) void work();
  }, [model, row]);
  return state;
}
