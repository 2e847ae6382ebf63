// A service that reads a log in place, while logrotate copies and truncates it: examples/follow,
// lib/file/{reading/lines,file-mapping}.ts, lib/mem/guard.ts.

// A generation is what was written to the log between two truncations. What comes to it after
// the copy is lost with it. Whoever follows the log must have the lines of a generation from its
// first on without a gap, and all that were there while logrotate let it come to the end.
import assert from 'node:assert/strict';
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { numberOf } from '../support/guard/log-lines.mjs';
import { run, runs } from '../support/process/run.mjs';
import { needsTools } from '../support/process/tools.mjs';
import { until } from '../support/until.mjs';

const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const ROUNDS = 12;

describe('a log that logrotate copies and truncates', () => {
  let directory;
  let log;
  let writer;
  let follower;

  before(function () {
    needsTools(this, 'logrotate'); // in /usr/sbin on Debian, which is not on everyone's PATH
  });

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'memmap-logrotate-'));
    log = join(directory, 'log');
    writer = fork(here('../fixtures/guard/log-writer.mjs'), [log]);
    await once(writer, 'message');
    follower = startFollower(log);
    const config = `"${log}" {\n  copytruncate\n  size 1k\n  rotate 1000\n  nocompress\n  notifempty\n}\n`;
    writeFileSync(join(directory, 'config'), config, { mode: 0o600 });
  });

  afterEach(async () => {
    follower.child.kill('SIGKILL');
    writer.kill('SIGKILL');
    await Promise.all([follower.ended, once(writer, 'exit')]);
    rmSync(directory, { recursive: true });
  });

  function rotate(...force) {
    const args = [...force, '--state', join(directory, 'state'), join(directory, 'config')];
    const { status, stderr } = spawnSync('logrotate', args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }

  /** Tells the writer what to do; the number of its next line. */
  async function order(message) {
    const answer = once(writer, 'message');
    writer.send(message);
    return (await answer)[0];
  }

  /** The first line of every generation, the copies' and the log's own. */
  function generations() {
    const copies = readdirSync(directory).filter((name) => /^log\.\d+$/.test(name));
    const oldestFirst = copies.toSorted((a, b) => Number(b.slice(4)) - Number(a.slice(4)));
    return [...oldestFirst, 'log'].map((name) => numberOf(readFileSync(join(directory, name), 'utf8').split('\n', 1)[0]));
  }

  async function endsWell() {
    follower.child.kill('SIGTERM');
    assert.deepEqual(await follower.ended, [0, null], follower.stderr());
    assert.deepEqual(follower.strange(), [], 'lines that nobody wrote');
  }

  /** Asserts what the head of this file says. `whole`: the last lines of generations that were waited for. */
  function assertNothingMissed(seen, whole, next) {
    const starts = generations();
    assert.ok(starts.length > ROUNDS && !starts.includes(undefined), `generations from ${starts}`);
    assert.ok(seen.every((number, i) => i === 0 || number > seen[i - 1]), 'in order, and once');
    for (const [i, start] of starts.entries()) {
      const end = starts[i + 1] ?? next;
      const of = seen.filter((number) => start <= number && number < end);
      assert.deepEqual(of, Array.from(of, (_, k) => start + k), `from ${start} on, without a gap`);
      for (const last of whole) if (start <= last && last < end) assert.ok(of.includes(last), `${last} was there to be read`);
    }
  }

  it('is followed to the end, without a line that is torn or missing, under rotation after rotation', async () => {
    const whole = [];
    for (let round = 0; round < ROUNDS; round++) {
      // While lines are written ...
      writer.send({ busy: true });
      for (let i = 0; i < 3; i++) {
        await until(() => statSync(log).size > 1024, 'the log grows');
        rotate();
        await setTimeout(round);
      }
      await order({ busy: false });
      // ... and while the follower is at the end.
      const last = (await order({ write: 100 })) - 1;
      await until(() => follower.last() === last, `line ${last}`);
      whole.push(last);
      rotate('--force');
    }
    const next = await order({ write: 10 });
    whole.push(next - 1);
    await until(() => follower.last() === next - 1, 'the last line');
    await endsWell();
    assertNothingMissed(follower.numbers(), whole, next);
  });

  it('is read from its beginning when it has outgrown what it was before', async () => {
    await order({ write: 50 });
    await until(() => follower.last() === 49, 'the first lines');
    follower.child.kill('SIGSTOP');
    await until(() => /^State:\tT/m.test(readFileSync(`/proc/${follower.child.pid}/status`, 'utf8')), 'the stop');
    rotate('--force');
    await order({ write: 2000 });
    follower.child.kill('SIGCONT');
    await until(() => follower.last() === 2049, 'the last line');
    await endsWell();
    assert.deepEqual(follower.numbers(), Array.from({ length: 2050 }, (_, i) => i));
  });
});

describe('a log that is truncated between a look at its size and the reading', () => {
  let directory;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'memmap-truncated-'))));
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is followed', () => runs('rotated-under', [join(directory, 'log'), 'guard']));

  it('ends who follows it, without the guard', async () => {
    const { code, signal } = await run('rotated-under', [join(directory, 'log'), 'no-guard']);
    assert.deepEqual({ code, signal }, { code: null, signal: 'SIGBUS' });
  });
});

/** The example, as a process: the numbers of the lines it has printed. */
function startFollower(path) {
  const child = spawn(process.execPath, [here('../../examples/follow/main.mjs'), path], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', (...result) => resolve(result)));
  const numbers = [];
  const strange = [];
  let rest = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const number = numberOf(line);
      if (number === undefined) strange.push(line);
      else numbers.push(number);
    }
  });
  return { child, ended, numbers: () => numbers, strange: () => strange, last: () => numbers.at(-1), stderr: () => stderr };
}
