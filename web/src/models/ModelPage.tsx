import { Badge, Skeleton, Tabs, Text, Title } from "@mantine/core";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { showModel } from "../api/client.js";
import type { ModelDetail } from "../api/types.js";
import { BatchTab } from "../batch/BatchTab.js";
import { JarvisError } from "../jarvis/index.js";
import { artifactQuery, type Artifact } from "../predict/artifact.js";
import { PredictTab } from "../predict/PredictTab.js";
import { Failure, sentence } from "../shell/Failure.js";
import { Alert, Offline } from "../shell/icons.js";
import { ago, bytes, fullTime, milliseconds, plainNumber } from "../shell/format.js";
import { usePageTitle } from "../shell/title.js";
import { readCard, type Card } from "./card.js";
import { MetricBar } from "./MetricBar.js";
import { formatMetric, metric, ordered } from "./metrics.js";
import { VersionsTab } from "./VersionsTab.js";

export type Tab = "predict" | "rows" | "versions";

export function modelQuery(name: string) {
  return queryOptions({
    queryKey: ["model", name],
    queryFn: ({ signal }) => showModel(name, signal),
    refetchInterval: 15_000,
  });
}

/** The version that the page works with: the one asked for, else the champion, else the newest. */
export function versionInUse(model: ModelDetail, asked: number | undefined): number | undefined {
  const alive = model.versions.filter((version) => !version.deleted).map((version) => version.number);
  if (asked !== undefined) return alive.includes(asked) ? asked : undefined;
  return model.aliases["champion"] ?? (alive.length > 0 ? Math.max(...alive) : undefined);
}

export function ModelPage({ name, asked, tab }: { name: string; asked: number | undefined; tab: Tab }) {
  usePageTitle(name);
  const detail = useQuery(modelQuery(name));
  const version = detail.data && versionInUse(detail.data, asked);
  const artifact = useQuery(artifactQuery(name, version));
  const navigate = useNavigate();

  if (!detail.data) {
    if (detail.error) return <Failure error={detail.error} title={`${name} cannot be shown`} retry={() => void detail.refetch()} />;
    return <Loading />;
  }
  const model = detail.data;
  const go = (next: string | null) =>
    void navigate({ to: "/model/$name", params: { name }, search: { tab: (next ?? "predict") as Tab, version: asked }, replace: true, resetScroll: false });

  return (
    <>
      <Head model={model} version={version} artifact={artifact.data} />
      {detail.error && <Unreachable error={detail.error} loaded={artifact.data !== undefined} />}
      <Tabs value={tab} onChange={go} keepMounted={false} className="tabs">
        <Tabs.List aria-label={`What to do with ${name}`}>
          <Tabs.Tab value="predict">One row</Tabs.Tab>
          <Tabs.Tab value="rows">Many rows</Tabs.Tab>
          <Tabs.Tab value="versions">Versions</Tabs.Tab>
        </Tabs.List>
        {(["predict", "rows"] as const).map((value) => (
          <Tabs.Panel value={value} key={value}>
            {version === undefined ? (
              <NoVersion asked={asked} />
            ) : artifact.data ? (
              value === "predict" ? (
                <PredictTab key={`${name}/${version}`} name={name} version={version} signature={artifact.data.model.signature} model={artifact.data.model} />
              ) : (
                <BatchTab key={`${name}/${version}`} name={name} version={version} model={artifact.data.model} />
              )
            ) : artifact.error && value === "predict" && alone(artifact.error) && model.signature && version === model.aliases["champion"] ? (
              <PredictTab key={`${name}/${version}`} name={name} version={version} signature={model.signature} model={undefined} />
            ) : artifact.error ? (
              <Failure error={artifact.error} title="The model cannot be loaded into this page" retry={() => void artifact.refetch()} />
            ) : (
              <div className="two" aria-busy="true" aria-label="Loading the model">
                <Skeleton height={420} radius="lg" />
                <Skeleton height={320} radius="lg" />
              </div>
            )}
          </Tabs.Panel>
        ))}
        <Tabs.Panel value="versions">
          <VersionsTab model={model} inUse={version} />
        </Tabs.Panel>
      </Tabs>
      {artifact.data && tab !== "versions" && <About artifact={artifact.data} size={model.versions.find((one) => one.number === version)?.size} />}
    </>
  );
}

/** Whether a model is fine and only the page cannot run it: the predictor in the page has not every operator. */
function alone(error: unknown): boolean {
  return JarvisError.from(error).code === "unsupported";
}

function Head({ model, version, artifact }: { model: ModelDetail; version: number | undefined; artifact: Artifact | undefined }) {
  const card: Card | undefined = artifact && readCard(artifact.model);
  const signature = artifact?.model.signature ?? model.signature;
  const row = model.versions.find((one) => one.number === version);
  const aliases = Object.entries(model.aliases).filter(([, number]) => number === version);
  return (
    <div className="page-head model-head">
      <div>
        <nav aria-label="Breadcrumb" className="crumbs">
          <Link to="/">Models</Link>
        </nav>
        <Title order={1}>{model.name}</Title>
        <div className="facts">
          {signature && (
            <span>
              {signature.task} of <b>{signature.target}</b>
            </span>
          )}
          {version !== undefined && (
            <span>
              version {version}{" "}
              {aliases.map(([alias]) => (
                <Badge key={alias} variant="light" size="sm" color={alias === "champion" ? "teal" : "gray"}>
                  {alias}
                </Badge>
              ))}
            </span>
          )}
          {row && <span title={fullTime(row.created)}>trained {ago(row.created)}</span>}
          {card?.estimator && <span>{card.estimator}</span>}
        </div>
      </div>
      <Headlines metrics={card?.metrics ?? row?.metrics} baseline={card?.baseline} holdout={card?.holdout} />
    </div>
  );
}

function Headlines({ metrics, baseline, holdout }: { metrics: Card["metrics"]; baseline: Card["baseline"]; holdout: number | undefined }) {
  const shown = ordered(metrics).slice(0, 3);
  if (shown.length === 0) return null;
  return (
    <dl className="headlines" aria-label={holdout === undefined ? "Metrics" : `Metrics on ${holdout} rows held out`}>
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{metric(name).title}</dt>
          <dd>
            <span className="big">{formatMetric(name, value)}</span>
            <MetricBar name={name} value={value} baseline={baseline?.[name]} />
            {baseline?.[name] !== undefined && <span className="dim">baseline {formatMetric(name, baseline[name])}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Unreachable({ error, loaded }: { error: unknown; loaded: boolean }) {
  const what = JarvisError.from(error);
  const away = what.code === "unreachable" || what.code === "unavailable";
  return (
    <div className="notice" role="status">
      {away ? <Offline /> : <Alert />}
      <span>
        {away ? "The server cannot be reached." : sentence(what.message)}{" "}
        {loaded ? "The model is loaded in this page, so predictions go on here." : "The model is not loaded yet, so nothing can be predicted."}
      </span>
    </div>
  );
}

function NoVersion({ asked }: { asked: number | undefined }) {
  return (
    <section className="panel empty">
      <Title order={2} size="h4">
        {asked === undefined ? "No version to predict with" : `Version ${asked} is not there`}
      </Title>
      <Text c="dimmed">Choose another one under Versions.</Text>
    </section>
  );
}

function About({ artifact, size }: { artifact: Artifact; size: number | undefined }) {
  const card = readCard(artifact.model);
  return (
    <footer className="about">
      <span>
        {size !== undefined && `${bytes(size)} model, `}ready in this page after {milliseconds(artifact.ready)}
      </span>
      {card.rows !== undefined && (
        <span>
          learned from {plainNumber(card.rows)} rows{card.dataName ? ` of ${fileName(card.dataName)}` : ""}
        </span>
      )}
      {card.holdout !== undefined && <span>measured on {plainNumber(card.holdout)} rows held out</span>}
      {card.dropped.map(({ column, reason }) => (
        <span key={column}>
          without <b>{column}</b>: {reason}
        </span>
      ))}
    </footer>
  );
}

/** The last part of a path or address: where the file lay is of no use to a reader. */
function fileName(name: string): string {
  return name.replace(/[/\\]+$/, "").split(/[/\\]/).at(-1) ?? name;
}

function Loading() {
  return (
    <div aria-busy="true" aria-label="Loading">
      <Skeleton height={32} width={220} mt={40} mb={12} />
      <Skeleton height={16} width={320} mb={32} />
      <div className="two">
        <Skeleton height={420} radius="lg" />
        <Skeleton height={320} radius="lg" />
      </div>
    </div>
  );
}
