import { createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { Title } from "@mantine/core";
import { ModelPage, type Tab } from "../models/ModelPage.js";
import { ModelsPage } from "../models/ModelsPage.js";
import { Shell } from "./Shell.js";
import { usePageTitle } from "./title.js";

const root = createRootRoute({ component: Shell, notFoundComponent: Nowhere });

const models = createRoute({ getParentRoute: () => root, path: "/", component: ModelsPage });

const tabs: readonly unknown[] = ["predict", "rows", "versions"] satisfies Tab[];

interface ModelSearch {
  tab?: Tab | undefined;
  version?: number | undefined;
}

// /models/… belongs to the server's API, so the page's own addresses say /model/…
const model = createRoute({
  getParentRoute: () => root,
  path: "/model/$name",
  validateSearch: (search: Record<string, unknown>): ModelSearch => {
    const version = Number(search["version"]);
    return {
      ...(tabs.includes(search["tab"]) && search["tab"] !== "predict" ? { tab: search["tab"] as Tab } : {}),
      ...(Number.isInteger(version) && version > 0 ? { version } : {}),
    };
  },
  component: function ModelRoute() {
    const { name } = model.useParams();
    const { tab, version } = model.useSearch();
    return <ModelPage key={name} name={name} asked={version} tab={tab ?? "predict"} />;
  },
});

function Nowhere() {
  usePageTitle("Not found");
  return (
    <div className="page-head">
      <Title order={1}>There is no such page</Title>
      <a href="/">All models</a>
    </div>
  );
}

export const router = createRouter({ routeTree: root.addChildren([models, model]), scrollRestoration: true });

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
