// Tests with systems that others wrote: they take minutes, so they have a run of their own (`npm test -- foreign`).
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/foreign/**/*.test.ts'],
    environment: 'node',
    testTimeout: 1_200_000,
    hookTimeout: 1_200_000,
    maxWorkers: 1,
  },
});
