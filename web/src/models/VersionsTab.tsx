import { Badge, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { artifactURL } from "../api/client.js";
import type { HistoryEntry, ModelDetail, Version } from "../api/types.js";
import { ago, bytes, fullTime } from "../shell/format.js";
import { formatMetric, metric, ordered } from "./metrics.js";

/** All versions, newest first, and the log of who changed which alias and why. */
export function VersionsTab({ model, inUse }: { model: ModelDetail; inUse: number | undefined }) {
  const versions = model.versions.toSorted((a, b) => b.number - a.number);
  const names = [...new Set(versions.flatMap((version) => ordered(version.metrics).map(([name]) => name)))].slice(0, 4);
  return (
    <div className="versions">
      <section className="panel table-panel">
        <h2 id="versions-heading">Versions</h2>
        <div className="scroll" tabIndex={0} role="region" aria-labelledby="versions-heading">
          <table>
            <thead>
              <tr>
                <th scope="col">Version</th>
                {names.map((name) => (
                  <th scope="col" className="num" key={name}>
                    {metric(name).title}
                  </th>
                ))}
                <th scope="col">Trained</th>
                <th scope="col">Why</th>
                <th scope="col" className="num">
                  File
                </th>
                <th scope="col">
                  <span className="sr">Use</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {versions.map((version) => (
                <VersionRow key={version.number} model={model} version={version} names={names} inUse={version.number === inUse} />
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <section className="panel" aria-labelledby="history-heading">
        <h2 id="history-heading">History</h2>
        {model.history.length === 0 ? (
          <Text c="dimmed" size="sm">
            Nothing has happened yet.
          </Text>
        ) : (
          <ol className="history">
            {model.history
              .toSorted((a, b) => b.seq - a.seq)
              .map((entry) => (
                <li key={entry.seq}>
                  <Entry entry={entry} />
                </li>
              ))}
          </ol>
        )}
      </section>
    </div>
  );
}

function VersionRow({ model, version, names, inUse }: { model: ModelDetail; version: Version; names: string[]; inUse: boolean }) {
  const aliases = Object.entries(model.aliases).filter(([, number]) => number === version.number);
  return (
    <tr data-deleted={version.deleted ?? false} data-in-use={inUse}>
      <th scope="row">
        <span className="version-number">{version.number}</span>
        {aliases.map(([alias]) => (
          <Badge key={alias} size="sm" variant="light" color={alias === "champion" ? "teal" : "gray"}>
            {alias}
          </Badge>
        ))}
        {version.deleted && (
          <Badge size="sm" variant="light" color="red">
            deleted
          </Badge>
        )}
      </th>
      {names.map((name) => (
        <td className="num" key={name}>
          {formatMetric(name, version.metrics?.[name])}
        </td>
      ))}
      <td title={fullTime(version.created)}>
        {ago(version.created)}
        {version.who && <span className="dim"> by {version.who}</span>}
      </td>
      <td className="why">{version.why || <span className="dim">—</span>}</td>
      <td className="num">
        {version.deleted ? (
          bytes(version.size)
        ) : (
          <a href={artifactURL(model.name, version.number)} download={`${model.name}-${version.number}.onnx`} title={`SHA-256 ${version.sha256}`}>
            {bytes(version.size)}
            <span className="sr"> ONNX file of version {version.number}</span>
          </a>
        )}
      </td>
      <td>
        {inUse ? (
          <span className="dim">in use</span>
        ) : (
          !version.deleted && (
            <Link to="/model/$name" params={{ name: model.name }} search={{ version: version.number, tab: "predict" }}>
              Try it<span className="sr"> with version {version.number}</span>
            </Link>
          )
        )}
      </td>
    </tr>
  );
}

/** The log's actions as past tense; one that is new is shown as it stands. */
const verbs: Record<string, string> = { publish: "Published", promote: "Promoted", rollback: "Went back to", delete: "Deleted", quarantine: "Quarantined" };

function Entry({ entry }: { entry: HistoryEntry }) {
  return (
    <>
      <span className="history-what">
        <b>{verbs[entry.action] ?? entry.action}</b>
        {entry.version !== undefined && entry.version > 0 && <> version {entry.version}</>}
        {entry.alias && (
          <>
            {" "}
            <span className="dim">{entry.action === "promote" ? "to" : "as"}</span> {entry.alias}
          </>
        )}
      </span>
      {entry.why && <span className="history-why">{entry.why}</span>}
      <span className="dim small">
        <time dateTime={entry.time} title={fullTime(entry.time)}>
          {ago(entry.time)}
        </time>
        {entry.who && ` by ${entry.who}`}
      </span>
    </>
  );
}
