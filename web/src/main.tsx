import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/geist/wght.css";
import "@fontsource-variable/geist-mono/wght.css";
import "@mantine/core/styles.css";
import "./app.css";
import { JarvisError } from "./jarvis/index.js";
import { freeArtifacts } from "./predict/artifact.js";
import { router } from "./shell/router.js";
import { theme } from "./shell/theme.js";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The server is on this machine or the next: whether there is an internet says nothing about it.
      networkMode: "always",
      staleTime: 5_000,
      retry: (count, error) => count < 1 && ["unreachable", "unavailable"].includes(JarvisError.from(error).code),
      retryDelay: 500,
    },
  },
});
freeArtifacts(queries);

const place = document.getElementById("root");
if (!place) throw new Error("index.html has no #root");
createRoot(place).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
