import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: [
      { find: /^hebb$/, replacement: new URL("./src/index.ts", import.meta.url).pathname },
      { find: /^hebb\/(.*)$/, replacement: `${new URL("./src/", import.meta.url).pathname}$1/index.ts` },
    ],
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 30_000, pool: "forks", maxWorkers: 2 },
});
