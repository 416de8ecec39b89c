import { defineConfig } from "vitest/config";

// One browser, one file after the other: timings on the page should not fight for the processor.
export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["e2e/**/*.e2e.ts"],
    environment: "node",
    fileParallelism: false,
    // Vite keeps BASE_URL for itself and overwrites it in the tests' environment.
    env: { SERVER_URL: process.env["BASE_URL"] ?? "" },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
