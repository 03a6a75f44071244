import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const system = { environment: 'node', testTimeout: 1_800_000, hookTimeout: 1_800_000, fileParallelism: false } as const;

// By itself vitest leaves a processor free, which of two is half of them; tests that wait for programs leave some as it is.
const maxWorkers = Math.max(2, availableParallelism() - 1);

// A limit is for what hangs; a busy machine takes its time.
export default defineConfig({
  test: {
    maxWorkers,
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', 'tests/unit/**/*.test.ts'], environment: 'node', testTimeout: 60_000 } },
      { test: { name: 'contract', include: ['tests/contract/**/*.test.ts'], environment: 'node', testTimeout: 60_000 } },
      { test: { name: 'smoke', include: ['tests/system/smoke/**/*.test.ts'], ...system } },
      { test: { name: 'system', include: ['tests/system/full/**/*.test.ts'], ...system } },
    ],
  },
});
