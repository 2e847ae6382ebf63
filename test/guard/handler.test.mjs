// The guard beside Node's signal listeners and handlers of others: lib/mem/guard.ts,
// src-native/core/guard/{guard,previous_handlers}.cc, src-native/napi/memory/guard.cc.
import assert from 'node:assert/strict';
import { foreignAddon } from '../support/process/addon.mjs';
import { run, runs } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const goesOn = (name, ...args) => runs('handler', [name, ...args.map((arg) => arg())]);

async function dies(expected, name, ...args) {
  const { signal, stderr } = await run('handler', [name, ...args.map((arg) => arg())]);
  assert.equal(signal, expected, stderr);
}

describe("the guard and Node's own signal listeners", () => {
  it('both work with listeners added before the first map', () => goesOn('listeners before the first map'));
  it('both work with listeners added after it', () => goesOn('listeners after the first map'));
  it('the guard works on when they are removed, and a signal sent then ends the process', () =>
    dies('SIGBUS', 'listeners removed'));
  for (const entry of ['memmap', 'sys', 'shm', 'store']) {
    it(`the guard works on if ${entry} is all of the package that was imported`, () => runs('entry-point', [entry], { timeout: 20_000 }));
  }
  it('leaves a signal that is sent to end the process', () => dies('SIGSEGV', 'sent'));
});

describe('the guard and native code of others', () => {
  const addon = foreignAddon();

  for (const [name, title] of [
    ['wild', 'at a null pointer'],
    ['wild elsewhere', 'at an address that is nobody\'s'],
    ['wild in memory that was unmapped', 'of memory that was closed and unmapped'],
    ['wild beside listeners', 'with listeners of process.on()'],
    ['wild in a worker', 'on a worker thread'],
  ]) {
    const its = name === 'wild in memory that was unmapped' ? itExternal : it; // it maps with buffer: 'array'
    its(`lets a real bug end the process by SIGSEGV: a read ${title}`, () => dies('SIGSEGV', name, addon));
  }

  for (const name of ['foreign before', 'foreign after', 'foreign after, then another map']) {
    it(`mends under a handler installed ${name.slice('foreign '.length)}, and a wasm trap stays an exception`, () =>
      goesOn(name, addon));
  }
  for (const name of ['foreign before, wild', 'foreign after, wild', 'foreign after, another map, wild']) {
    it(`lets a real bug end the process: ${name}`, () => dies('SIGSEGV', name, addon));
  }
  it('comes back with the next map when others have thrown its handler out', () =>
    goesOn('all handlers gone, then another map', addon));
});
