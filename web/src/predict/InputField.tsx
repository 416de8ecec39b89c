import { Autocomplete, NumberInput, SegmentedControl, Textarea, TextInput, type OptionsFilter, type ComboboxItem } from "@mantine/core";
import { memo, useId, type ReactNode } from "react";
import { innerOf, type Input } from "../jarvis/index.js";
import { plainNumber } from "../shell/format.js";
import { optional, outside, plain, readNumber, stepOf, type Field } from "./fields.js";
import { PictureField } from "./PictureField.js";

interface InputFieldProps {
  input: Input;
  field: Field;
  problem: string | undefined;
  change: (name: string, field: Field) => void;
}

/** One input of the model, as its kind asks for, and a button that marks it as missing. */
export const InputField = memo(function InputField({ input, field, problem, change }: InputFieldProps) {
  const id = useId();
  const set = (text: string) => change(input.name, { text, missing: false });
  const error = field.missing ? undefined : problem;
  return (
    <div className="field" data-kind={input.kind} data-missing={field.missing}>
      <div className="field-head">
        {input.kind === "boolean" ? <span id={`${id}-label`}>{input.name}</span> : <label htmlFor={id}>{input.name}</label>}
        {optional(input) && (
          <button
            type="button"
            className="missing"
            aria-pressed={field.missing}
            aria-label={`${input.name} is missing`}
            onClick={() => change(input.name, { ...field, missing: !field.missing })}
          >
            missing
          </button>
        )}
      </div>
      <Control id={id} input={input} field={field} error={error} set={set} />
    </div>
  );
});

interface ControlProps {
  id: string;
  input: Input;
  field: Field;
  error: string | undefined;
  set: (text: string) => void;
}

function Control({ id, input, field, error, set }: ControlProps) {
  const common = {
    id,
    error,
    disabled: field.missing,
    placeholder: field.missing ? "missing: the model fills it in" : undefined,
    size: "md" as const,
    inputWrapperOrder: ["label" as const, "input" as const, "error" as const, "description" as const],
  };
  const value = field.missing ? "" : field.text;
  switch (input.kind) {
    case "number":
      return <NumberControl input={input} field={field} set={set} common={common} value={value} />;
    case "boolean":
      return <BooleanControl id={id} input={input} field={field} error={error} set={set} />;
    case "date": {
      const withTime = typeof input.example === "string" && input.example.includes("T");
      return <TextInput {...common} type={withTime ? "datetime-local" : "date"} step={withTime ? 1 : undefined} value={value} onChange={(event) => set(event.currentTarget.value)} />;
    }
    case "text":
      return <Textarea {...common} autosize minRows={3} maxRows={10} value={value} onChange={(event) => set(event.currentTarget.value)} />;
    case "sequence":
      return (
        <Textarea
          {...common}
          autosize
          minRows={2}
          maxRows={10}
          spellCheck={false}
          classNames={{ input: "rows-text" }}
          value={value}
          onChange={(event) => set(event.currentTarget.value)}
          description={innerOf(input) === 1 ? "numbers one after another" : `steps of ${innerOf(input)} numbers`}
        />
      );
    case "image":
      return <PictureField id={id} name={input.name} url={value} error={error} set={set} />;
    case "category":
      return (
        <Autocomplete
          {...common}
          data={[...new Set(input.values ?? [])]}
          value={value}
          onChange={set}
          filter={allWhenExact}
          maxDropdownHeight={260}
          limit={100}
          description={unseen(input, field) ?? `${input.values?.length ?? 0} known, or type another`}
        />
      );
  }
}

function unseen(input: Input, field: Field): ReactNode {
  if (field.missing || field.text === "" || !input.values?.length || input.values.includes(field.text.trim())) return undefined;
  return <span className="warn">not seen in training</span>;
}

/** Shows all options while the text is one of them: opening the list should offer the others. */
const allWhenExact: OptionsFilter = ({ options, search, limit }) => {
  const items = options as ComboboxItem[];
  const wanted = search.trim().toLowerCase();
  const exact = items.some((item) => item.label.toLowerCase() === wanted);
  return (exact ? items : items.filter((item) => item.label.toLowerCase().includes(wanted))).slice(0, limit);
};

function NumberControl({ input, field, set, common, value }: { input: Input; field: Field; set: (text: string) => void; common: object; value: string }) {
  const { min, max } = input;
  const step = stepOf(input);
  const number = readNumber(field.text);
  const far = !field.missing && outside(input, number);
  const ranged = min !== undefined && max !== undefined && max > min;
  const range = ranged ? `${plainNumber(Number(plain(min)))} – ${plainNumber(Number(plain(max)))} in training` : undefined;
  return (
    <>
      <NumberInput
        {...common}
        value={value}
        onChange={(next) => set(String(next))}
        step={step}
        stepHoldDelay={400}
        stepHoldInterval={60}
        inputMode="decimal"
        hideControls={field.missing}
        description={far ? <span className="warn">outside what the model saw: {range}</span> : range}
      />
      {ranged && (
        // For the pointer only: the number field above does the same by keyboard and says its value.
        <input
          type="range"
          className="range"
          tabIndex={-1}
          aria-hidden="true"
          min={min}
          max={max}
          step={step}
          disabled={field.missing}
          value={typeof number === "number" ? number : min}
          onChange={(event) => set(plain(Number(event.currentTarget.value)))}
        />
      )}
    </>
  );
}

function BooleanControl({ id, input, field, error, set }: ControlProps) {
  const values = input.values?.length ? input.values : ["true", "false"];
  return (
    <>
      <SegmentedControl
        aria-labelledby={`${id}-label`}
        fullWidth
        data={values}
        value={field.missing ? "" : field.text}
        onChange={set}
        disabled={field.missing}
      />
      {error && <p className="field-error">{error}</p>}
    </>
  );
}
