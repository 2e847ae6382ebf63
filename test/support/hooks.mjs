// Root hooks of every run: a process warning fails the test it appears in, and what was skipped or
// missing is told, to scripts/test.mjs or at the end.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';

const { MEMMAP_REPORT: report } = process.env;
const warnings = [];
const notes = [];
let current;

process.on('warning', (warning) => warnings.push(warning));

function tell(event, line) {
  if (report === undefined) notes.push(line);
  else appendFileSync(report, `${JSON.stringify(event)}\n`);
}

/** Skips the running test and says why at the end of the run. */
export function skip(context, reason) {
  const { test, currentTest } = context;
  const line = `${(test ?? currentTest)?.fullTitle()}: ${reason}`;
  tell({ skipped: line }, `skipped: ${line}`);
  context.skip();
}

/** Says at the end of the run which test missed a program: the running one, or that of `context`. */
export function misses(program, context) {
  const test = context?.test ?? context?.currentTest ?? current;
  tell({ missing: program, file: relative('', test.file) }, `no ${program} here: ${test.fullTitle()}`);
}

export const mochaHooks = {
  beforeEach() {
    current = this.currentTest;
  },
  afterEach() {
    if (warnings.length === 0) return;
    const [warning] = warnings.splice(0);
    throw new Error(`the process warned: ${warning.stack ?? warning}`);
  },
  afterAll() {
    if (notes.length > 0) console.log(`\n${[...new Set(notes)].map((line) => `  ${line}`).join('\n')}`);
  },
};
