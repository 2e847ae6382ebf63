// What a mocha process tells scripts/test.mjs: a line of JSON for each event, in the file MEMMAP_REPORT.
const { appendFileSync } = require('node:fs');
const path = require('node:path');
const { format, stripVTControlCharacters } = require('node:util');
const Mocha = require('mocha');

const { Base } = Mocha.reporters;

const { EVENT_HOOK_BEGIN, EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_TEST_BEGIN, EVENT_TEST_FAIL, EVENT_TEST_PASS, EVENT_TEST_PENDING } =
  Mocha.Runner.constants;

/** Milliseconds to the end of a process whose tests have ended. */
const GRACE = 20_000;

/** How mocha shows a failure. */
function shown(failure) {
  const { consoleLog } = Base;
  let text = '';
  Base.consoleLog = (...args) => (text += `${format(...args)}\n`);
  Base.list([failure]);
  Base.consoleLog = consoleLog;
  return stripVTControlCharacters(text);
}

module.exports = class extends Base {
  constructor(runner, options) {
    super(runner, options);
    const tell = (event) => appendFileSync(process.env.MEMMAP_REPORT, `${JSON.stringify(event)}\n`);
    let current;
    const begin = ({ file, title }) => {
      if (file === undefined) return;
      if (file !== current) tell({ file: path.relative('', file) });
      current = file;
      tell({ begun: title });
    };
    for (const event of [EVENT_SUITE_BEGIN, EVENT_HOOK_BEGIN, EVENT_TEST_BEGIN]) runner.on(event, begin);
    runner.on(EVENT_TEST_PASS, () => tell({ passed: 1 }));
    runner.on(EVENT_TEST_PENDING, () => tell({ pending: 1 }));
    runner.on(EVENT_TEST_FAIL, (test) => tell({ failure: shown(test) }));
    runner.once(EVENT_RUN_END, () => {
      tell({ ended: true });
      setTimeout(() => {
        const files = process.argv.filter((one) => one.endsWith('.test.mjs')).join(' ');
        tell({ failure: `  1) ${files}: what a test left behind keeps the process alive: ${process.getActiveResourcesInfo().join(' ')}\n` });
        process.exit(1);
      }, GRACE).unref();
    });
  }
};
