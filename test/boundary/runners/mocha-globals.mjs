// What the tests take from mocha, on other test runners: before(), after(), and `this` of a test or a suite.
import vm from 'node:vm';

// Of the context, in which Node 20 and 22 have none; jest does the same.
for (const name of ['dispose', 'asyncDispose']) if (Symbol[name] === undefined) Object.defineProperty(Symbol, name, { value: vm.runInThisContext(`Symbol.${name}`) });

/** Ends a test that cannot run here. */
class Skipped extends Error {}

function contextOf(title) {
  return {
    test: { title, fullTitle: () => title },
    timeout() {},
    retries() {},
    skip() {
      throw new Skipped(title);
    },
  };
}

/** A test with mocha's `this`. What would be skipped there passes here. */
const asMocha = (runner) => (title, body) => runner(title, async () => {
  try {
    await body.call(contextOf(title));
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
  }
});

const asHook = (runner) => (body) => runner(async () => {
  await body.call(contextOf('hook'));
});

const asSuite = (runner) => (title, body) => runner(title, () => {
  body.call(contextOf(title));
});

const { describe, it, beforeAll, afterAll, beforeEach, afterEach } = globalThis;
Object.assign(globalThis, {
  describe: asSuite(describe),
  it: asMocha(it),
  before: asHook(beforeAll),
  after: asHook(afterAll),
  beforeEach: asHook(beforeEach),
  afterEach: asHook(afterEach),
});
