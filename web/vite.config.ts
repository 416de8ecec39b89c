import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The server that answers /api while the page is under development: jarvis serve, or BASE_URL.
const server = process.env["BASE_URL"] ?? "http://127.0.0.1:8080";
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default defineConfig({
  plugins: [react()],
  worker: { format: "es" },
  build: { target: "es2022", modulePreload: { polyfill: false }, chunkSizeWarningLimit: 800 },
  server: {
    headers: isolation,
    proxy: {
      "/api": server,
      "/v2": server,
      "/docs": server,
      "/openapi.json": server,
      "/models": server,
    },
  },
});
