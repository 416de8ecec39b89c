import { useEffect, useRef, useState } from "react";
import { JarvisError, type Model, type Result, type Row } from "../jarvis/index.js";
import { withPixels } from "./pixels.js";

export interface PagePrediction {
  result?: Result;
  error?: JarvisError;
}

/**
 * Predicts a row in the page whenever it or the turn changes. While one prediction is under way only the newest row waits: a slider
 * that is dragged never builds a queue.
 */
export function usePagePrediction(model: Model | undefined, row: Row | undefined, turn: number): PagePrediction {
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
    if (!model || !row) return;
    waiting.current = row;
    const work = async () => {
      busy.current = true;
      // After the paint: the answer's way back is measured, and should not wait for React to draw the form.
      await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
      while (waiting.current) {
        const next = waiting.current;
        waiting.current = undefined;
        const answer = await withPixels(model.signature, next)
          .then((decoded) => model.predict([decoded]))
          .then(
            (result): PagePrediction => ({ result }),
            (thrown: unknown): PagePrediction => ({ error: JarvisError.from(thrown) }),
          );
        if (shown.current) setState(answer);
      }
      busy.current = false;
    };
    if (!busy.current) void work();
  }, [model, row, turn]);
  return state;
}
