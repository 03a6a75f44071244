import { defineConfig } from 'vitest/config';

const system = { environment: 'node', testTimeout: 1_800_000, hookTimeout: 1_800_000, fileParallelism: false } as const;

// A limit is for what hangs; a busy machine takes its time.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'tests/unit/**/*.test.ts'], environment: 'node', testTimeout: 60_000 } },
      { test: { name: 'contract', include: ['tests/contract/**/*.test.ts'], environment: 'node', testTimeout: 60_000 } },
      { test: { name: 'smoke', include: ['tests/system/smoke/**/*.test.ts'], ...system } },
      { test: { name: 'system', include: ['tests/system/full/**/*.test.ts'], ...system } },
    ],
  },
});
