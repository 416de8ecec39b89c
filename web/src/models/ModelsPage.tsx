import { Badge, Code, CopyButton, Button, Skeleton, Text, Title } from "@mantine/core";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { listModels } from "../api/client.js";
import type { ModelSummary } from "../api/types.js";
import { Failure } from "../shell/Failure.js";
import { ago, fullTime } from "../shell/format.js";
import { usePageTitle } from "../shell/title.js";
import { formatMetric, headline, metric } from "./metrics.js";
import { MetricBar } from "./MetricBar.js";

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => listModels(signal),
  refetchInterval: 15_000,
});

export function ModelsPage() {
  usePageTitle("Models");
  const models = useQuery(modelsQuery);
  return (
    <>
      <div className="page-head">
        <Title order={1}>Models</Title>
        <Text c="dimmed">Trained once, kept as one file, answering alike on the server and in this page.</Text>
      </div>
      {models.data ? (
        <Cards models={models.data} />
      ) : models.error ? (
        <Failure error={models.error} title="The models cannot be listed" retry={() => void models.refetch()} />
      ) : (
        <div className="cards" aria-busy="true" aria-label="Loading the models">
          <Skeleton height={206} radius="lg" />
          <Skeleton height={206} radius="lg" />
        </div>
      )}
      {models.data && models.error && (
        <Text role="status" size="sm" c="dimmed" mt="md">
          The server does not answer just now; this is what it said last.
        </Text>
      )}
    </>
  );
}

function Cards({ models }: { models: ModelSummary[] }) {
  if (models.length === 0) return <Empty />;
  return (
    <ul className="cards">
      {models.map((model) => (
        <li key={model.name}>
          <ModelCard model={model} />
        </li>
      ))}
    </ul>
  );
}

function ModelCard({ model }: { model: ModelSummary }) {
  const name = headline(model.metrics);
  const value = name === undefined ? undefined : model.metrics[name];
  const baseline = name === undefined ? undefined : model.baseline?.[name];
  return (
    <Link to="/model/$name" params={{ name: model.name }} className="panel card">
      <div className="card-head">
        <h2>{model.name}</h2>
        {model.champion === null ? (
          <Badge variant="light" color="yellow">
            no champion
          </Badge>
        ) : (
          <Badge variant="light">champion v{model.champion}</Badge>
        )}
      </div>
      <p className="card-what">
        {model.task} of <b>{model.target}</b>
      </p>
      {name !== undefined && (
        <div className="card-metric">
          <div className="card-number">
            <span className="big">{formatMetric(name, value)}</span>
            <span>
              {metric(name).title}
              {baseline !== undefined && <span className="dim"> · baseline {formatMetric(name, baseline)}</span>}
            </span>
          </div>
          <MetricBar name={name} value={value} baseline={baseline} />
        </div>
      )}
      <p className="card-foot">
        <span title={fullTime(model.created)}>trained {ago(model.created)}</span>
        <span>{model.estimator}</span>
        <span>
          {model.versions} {model.versions === 1 ? "version" : "versions"}
        </span>
        {model.candidate !== null && model.candidate !== undefined && <span>candidate v{model.candidate}</span>}
      </p>
    </Link>
  );
}

const firstModel = "jarvis train penguins.csv --target species --name penguins";

function Empty() {
  return (
    <section className="panel empty">
      <Title order={2} size="h3">
        No models yet
      </Title>
      <Text c="dimmed" maw={460}>
        Train one from a CSV, JSON or Parquet file, into the bucket that this server reads. It shows up here by itself.
      </Text>
      <div className="command">
        <Code>{firstModel}</Code>
        <CopyButton value={firstModel}>
          {({ copied, copy }) => (
            <Button variant="light" size="compact-sm" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      </div>
    </section>
  );
}
