// vitest in one of its pools, POOL: FILES is a list of test files.
export default {
  root: new URL('../../..', import.meta.url).pathname,
  test: {
    include: JSON.parse(process.env.FILES ?? '["**/*.test.mjs"]'),
    pool: process.env.POOL,
    globals: true,
    setupFiles: [new URL('mocha-globals.mjs', import.meta.url).pathname],
    testTimeout: 60_000,
    fileParallelism: false,
    watch: false,
  },
};
