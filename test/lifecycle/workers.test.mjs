// Mappings across worker threads, and workers that end with open mappings: lib/mem/pages.ts,
// lib/internal/{binding,buffer}.ts, src-native/napi/environment.cc.
import { runs } from '../support/process/run.mjs';

const works = (name) => () => runs('workers', [name], { nodeArgs: ['--expose-gc'] });

describe('a mapping used by several workers', () => {
  it('is one memory: Atomics of three threads add up', works('shared'));
  it('reads zeros on every thread once it is closed', works('closed under readers'));
});

describe('a worker with open mappings', () => {
  it('gives them back when it ends; what it posted stays', works('ends by itself'));
  it('gives them back when it calls process.exit', works('calls process.exit'));
  it('gives them back when it is terminated', works('is terminated'));
  it('gives them back when it throws', works('throws'));
});

describe('the addon', () => {
  it('loads in a worker before the main thread', works('worker first'));
  it('loads in a worker after the main thread', works('main first'));
  it('serves eight workers that map and close at once', works('eight'));
  it('survives that a worker is terminated while it loads it', () => runs('terminated-workers'));
});
