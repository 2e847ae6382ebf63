// Root hooks of every run: a process warning fails the test it appears in, and skips are
// listed with their reasons at the end.
const warnings = [];
const skipped = [];

process.on('warning', (warning) => warnings.push(warning));

/** Skips the running test and says why at the end of the run. */
export function skip(context, reason) {
  skipped.push(`${context.test?.fullTitle() ?? context.currentTest?.fullTitle()}: ${reason}`);
  context.skip();
}

export const mochaHooks = {
  afterEach() {
    if (warnings.length === 0) return;
    const [warning] = warnings.splice(0);
    throw new Error(`the process warned: ${warning.stack ?? warning}`);
  },
  afterAll() {
    if (skipped.length === 0) return;
    console.log(`\n  skipped ${skipped.length}:`);
    for (const line of skipped) console.log(`    ${line}`);
  },
};
