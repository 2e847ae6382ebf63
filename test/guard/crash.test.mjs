// A real crash is the same with the guard as without memmap, with two copies of the package too:
// src-native/core/guard/{guard,previous_handlers,guard_copies}.cc.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { crashing } from '../support/process/crash-addon.mjs';
import { skip } from '../support/hooks.mjs';
import { fixture, run, runProgram } from '../support/process/run.mjs';
import { itExternal } from '../support/process/runtime.mjs';

const SECONDS = 20;

describe('a real crash under the guard', function () {
  this.timeout(120_000);
  const built = crashing();

  /** How it ends, and what handlers wrote. */
  async function crash(how, ...steps) {
    const { code, signal, stderr } = await run('crash', [built.addon, built.library, how, ...steps], { timeout: SECONDS * 1000 });
    // A reporter sees the guard's frames above the crash.
    const written = stderr.replace(/^.*memmap\.node.*\n/gm, '').replace(/\[0x[0-9a-f]+\]|^PID \d+/gm, '');
    return { code, signal, stderr: written };
  }

  /** The same with the guard armed after these steps, and before others. */
  async function same(how, before = [], after = []) {
    const [alone, guarded] = await Promise.all([crash(how, ...before, ...after), crash(how, ...before, 'memmap', ...after)]);
    assert.notEqual(alone.signal, 'SIGKILL', 'it hangs without memmap');
    assert.deepEqual(guarded, alone);
    return guarded;
  }

  for (const how of ['null', 'wild', 'far away', 'constant', 'call', 'abort', 'sent']) {
    it(`ends by the same signal at the same instruction: ${how}`, async function () {
      const traced = (...steps) => runProgram(built.tracer, [process.execPath, fixture('crash'), built.addon, built.library, how, ...steps]);
      const [alone, guarded] = [await traced(), await traced('memmap')];
      if (alone.code === 77) skip(this, 'ptrace(2) is not allowed');
      const last = ({ stdout }) => stdout.trim().split('\n').slice(-2).join(', ');
      assert.match(last(alone), /signal \d+$/);
      assert.equal(last(guarded), last(alone));
      if (!['abort', 'call', 'sent'].includes(how)) assert.match(last(guarded), /crash\.node\+/);
    });
  }

  for (const handler of ['crashes', 'crashes, no defer', 'ends', 'returns, once', 'default', 'ignore', 'segfault-handler', 'load']) {
    for (const place of ['before', 'after']) {
      it(`is met by a handler installed ${place} the guard as by the kernel: ${handler}`, async function () {
        if (handler === 'segfault-handler') needsSegfaultHandler(this);
        await (place === 'before' ? same('null', [handler]) : same('null', [], [handler]));
      });
    }
  }
  it('is reported once by segfault-handler, with another map after it', async function () {
    needsSegfaultHandler(this);
    const { signal, stderr } = await crash('null', 'memmap', 'segfault-handler', 'memmap', 'memmap');
    assert.equal(signal, 'SIGSEGV');
    assert.equal(stderr.match(/received SIGSEGV/g)?.length, 1, stderr);
  });
  it('reaches a reporter that crashes itself once, with another map after it', async () => {
    const expected = { code: null, signal: 'SIGSEGV', stderr: 'crash reporter\n' };
    assert.deepEqual(await crash('null', 'crashes', 'memmap', 'memmap'), expected);
    assert.deepEqual(await crash('null', 'memmap', 'crashes', 'memmap'), expected);
  });
  it('is not left to a handler that was uninstalled and unloaded', async () => {
    assert.equal((await same('null', ['load', 'uninstall'])).signal, 'SIGSEGV');
    const dead = { code: null, signal: 'SIGSEGV', stderr: '' };
    assert.deepEqual(await crash('null', 'memmap', 'load', 'memmap', 'uninstall', 'memmap'), dead);
    assert.deepEqual(await crash('null', 'memmap', 'load', 'uninstall', 'memmap'), dead);
  });
  it('passes over a handler whose library is gone: the one before it reports', async () => {
    const { code, stderr } = await crash('null', 'ends', 'memmap', 'load', 'memmap', 'unload');
    assert.deepEqual({ code, stderr }, { code: 3, stderr: 'reported\n' });
  });
  it('ends a process that listens with process.on(): without memmap it hangs', async () => {
    for (const steps of [['listener', 'memmap'], ['memmap', 'listener'], ['memmap', 'listener', 'no listener']]) {
      assert.deepEqual(await crash('null', ...steps), { code: null, signal: 'SIGSEGV', stderr: '' });
    }
  });
  it('tells a plain handler the number, once', async () => {
    const told = { code: null, signal: 'SIGSEGV', stderr: 'told the number\n' };
    assert.deepEqual(await crash('null', 'plain', 'memmap'), told);
    assert.deepEqual(await crash('null', 'memmap', 'plain', 'memmap'), told);
  });
  itExternal('is not passed to and fro between two copies that mapped in turns', async () => {
    const reported = { code: 3, signal: null, stderr: 'reported\n' };
    assert.deepEqual(await crash('null on 32 KiB of stack', 'ends', 'another copy'), reported);
  });
  itExternal('is the same with two copies of the package, whichever mapped last', async () => {
    for (const steps of [['another copy'], ['another copy', 'memmap']]) {
      assert.deepEqual(await crash('null', ...steps), { code: null, signal: 'SIGSEGV', stderr: '' });
      assert.deepEqual(await crash('null', 'crashes', ...steps), { code: null, signal: 'SIGSEGV', stderr: 'crash reporter\n' });
    }
  });
});

/** A development dependency that is compiled for one version of Node. */
function needsSegfaultHandler(context) {
  try {
    createRequire(import.meta.url)('segfault-handler');
  } catch (error) {
    skip(context, `segfault-handler does not load: ${error.message.split('\n')[0]}`);
  }
}
