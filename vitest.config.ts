import { defineConfig } from "vitest/config";

const conditions = ["source"];
const resolve = { conditions };
const ssr = { resolve: { conditions } };

// Without isolation what test files import is read once for each worker, which is a good part of what they cost: a test puts back what it changes of the process.

export default defineConfig({
  resolve,
  ssr,
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "apps/*/src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: ["**/*.e2e.test.ts"],
          setupFiles: ["test/seed.setup.ts"],
          isolate: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve,
        ssr,
        // These run compilers, virtual machines and downloads, and wait for a third of their time: three files at a time keep two processors busy.
        test: {
          name: "e2e",
          include: ["packages/*/src/**/*.e2e.test.ts", "apps/*/src/**/*.e2e.test.ts", "test/**/*.e2e.test.ts"],
          setupFiles: ["test/seed.setup.ts"],
          isolate: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
