// The threads that the addon starts, and calls that cannot have one: lib/internal/thread.ts,
// src-native/core/thread.cc, src-native/napi/thread_function.cc.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fixture, runProgram, runs } from '../support/process/run.mjs';
import { skip } from '../support/hooks.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PRLIMIT = '/usr/bin/prlimit';
const NOBODY = 65534;

describe('the threads of the addon', () => {
  const file = temporaryFiles();

  it('block all signals', () => runs('threads', ['masks', file('masks')]));

  it('that cannot be started are EAGAIN: nothing is left of the call, and a later one works', async function () {
    if (process.getuid() !== 0) skip(this, 'only root can become a user with no threads left');
    if (!existsSync(PRLIMIT)) skip(this, 'no prlimit(1)');
    const path = file('no-threads');
    const child = spawn(PRLIMIT, ['--nproc=1:', process.execPath, fixture('threads'), 'no threads', path], { stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text) => {
      if (!text.includes('permit')) return;
      execFileSync(PRLIMIT, ['--pid', String(child.pid), '--nproc=1000:'], { uid: NOBODY, gid: NOBODY });
      child.stdin.write('permitted\n');
    });
    const [code, signal] = await new Promise((resolve) => child.on('close', (...end) => resolve(end)));
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  });

  it('take no descriptor to be told of faults: there may be none', async function () {
    if (!existsSync(PRLIMIT)) skip(this, 'no prlimit(1)');
    const { code, signal, stderr } = await runProgram(PRLIMIT, ['--nofile=512:512', process.execPath, fixture('threads'), 'no descriptors', file('none')]);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  });
});
