// jest, whose tests run in vm contexts, with modules of their own for each file: FILES is a list of test files.
export default {
  rootDir: new URL('../../..', import.meta.url).pathname,
  testMatch: JSON.parse(process.env.FILES ?? '["**/*.test.mjs"]').map((path) => `<rootDir>/${path}`),
  testEnvironment: 'node',
  transform: {},
  moduleFileExtensions: ['mjs', 'js', 'cjs', 'json', 'node'],
  modulePathIgnorePatterns: ['<rootDir>/(?:build|examples|bench|prebuilds|\\.cache|test/packages|test/boundary/types)/'],
  setupFilesAfterEnv: [new URL('mocha-globals.mjs', import.meta.url).pathname],
  cache: false,
  testTimeout: 60_000,
};
