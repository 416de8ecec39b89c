import { useState } from "react";
import { bytes } from "../shell/format.js";
import { Drop } from "../shell/icons.js";

interface PictureFieldProps {
  id: string;
  name: string;
  /** A data: URL, or nothing. */
  url: string;
  error: string | undefined;
  set: (url: string) => void;
}

/** The most bytes of a file: the server takes requests of 16 MiB, and base64 adds a third. */
const most = 11 << 20;

/** A picture that is chosen or dropped, and shown. */
export function PictureField({ id, name, url, error, set }: PictureFieldProps) {
  const [over, setOver] = useState(false);
  const [refused, setRefused] = useState<string>();
  const take = (file: File | undefined) => {
    if (!file) return;
    if (file.size > most) return setRefused(`The file has ${bytes(file.size)}, at most ${bytes(most)} can be sent`);
    setRefused(undefined);
    const reader = new FileReader();
    reader.addEventListener("load", () => set(String(reader.result)));
    reader.addEventListener("error", () => setRefused("The file cannot be read"));
    reader.readAsDataURL(file);
  };
  const wrong = refused ?? (url === "" ? undefined : error);
  return (
    <>
      <label
        className="picture"
        data-over={over}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          take(event.dataTransfer.files[0]);
        }}
      >
        <input
          id={id}
          type="file"
          accept="image/*"
          aria-label={name}
          aria-invalid={url === "" || wrong !== undefined}
          onChange={(event) => {
            take(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
        {url === "" ? (
          <span className="picture-none">
            <Drop size={22} />
            Choose a picture, or drop one here
          </span>
        ) : (
          <img src={url} alt={`The picture for ${name}`} />
        )}
      </label>
      {wrong && <p className="field-error">{wrong}</p>}
    </>
  );
}
