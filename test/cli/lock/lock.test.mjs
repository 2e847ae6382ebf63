// memmap lock keeps files in memory, with a pidfile, limits and systemd: lib/cli/lock/{lock,limit,pid-file,systemd}.ts.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readdirSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MEMMAP, evictPages, memmap, startMemmap } from '../../support/cli/cli.mjs';
import { bytesLocked } from '../../support/cli/cli-runs.mjs';
import { fincore } from '../../support/cli/in-memory.mjs';
import { python, runPython, start } from '../../support/process/program.mjs';
import { despiteReclaim } from '../../support/kernel/reclaim.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { needsTools } from '../../support/process/tools.mjs';
import { until } from '../../support/until.mjs';

const PAGE = 4096;
const MIB = 2 ** 20;

describe('memmap lock', function () {
  despiteReclaim(this);
  const file = temporaryFiles();
  const running = [];

  after(() => {
    for (const { child } of running) child.kill('SIGKILL');
  });

  function cold(name, length) {
    const path = file(name, Buffer.alloc(length, name));
    evictPages(path);
    return path;
  }

  function begin(args, options) {
    const lock = startMemmap(['lock', ...args], options);
    running.push(lock);
    return lock;
  }

  /** Starts it, and waits until it says what it has locked. */
  async function locked(args, options) {
    const lock = begin(args, options);
    await until(() => lock.output().endsWith('\n') || lock.child.exitCode !== null, 'it is locked');
    return lock;
  }

  /** For NODE_OPTIONS: it gets SIGINT once its pidfile is there, and hears of it while it reads, however slow we are. */
  const INTERRUPTED = `--import=data:text/javascript,${encodeURIComponent(`
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { linkSync } = fs;
    fs.linkSync = (...args) => {
      linkSync(...args);
      process.kill(process.pid, 'SIGINT');
    };
    syncBuiltinESMExports();`)}`;

  /** What any user can do about pages in the page cache. */
  function pushOut(path) {
    runPython('fd = os.open(sys.argv[1], os.O_RDONLY)\nos.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)', [path]);
    return fincore([path])[0];
  }

  describe('behaviour', () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      it(`keeps files in memory until ${signal}`, async () => {
        const paths = [cold(`one-${signal}`, 2 * MIB + 5), cold(`other-${signal}`, MIB)];
        const { child, ended, output } = await locked(paths);
        assert.equal(output(), '2 files, 3 MiB locked\n');
        assert.equal(bytesLocked(child.pid), 3 * MIB + PAGE);
        assert.deepEqual(paths.map(pushOut), [513, 256]);
        child.kill(signal);
        const { code, stderr } = await ended;
        assert.deepEqual([code, stderr], [0, '']);
        assert.deepEqual(paths.map(pushOut), [0, 0]);
      });
    }

    it('locks the range only', async () => {
      const { child, ended } = await locked(['-p', `${2 * PAGE}-${5 * PAGE}`, cold('range', 16 * PAGE)]);
      assert.equal(bytesLocked(child.pid), 3 * PAGE);
      assert.equal(pushOut(file('range')), 3);
      child.kill();
      await ended;
    });

    it('outlives files that shrink, grow, are written to and are removed', async () => {
      const paths = ['shrinks', 'grows', 'written', 'removed'].map((name) => cold(name, 64 * PAGE));
      const { child, ended } = await locked(paths);
      truncateSync(paths[0], 5);
      truncateSync(paths[1], 128 * PAGE);
      writeFileSync(paths[2], 'new');
      unlinkSync(paths[3]);
      assert.equal(bytesLocked(child.pid), 4 * 64 * PAGE);
      assert.ok(pushOut(paths[1]) >= 64);
      child.kill();
      assert.deepEqual((await ended).code, 0);
    });

    it('tells in JSON what is locked', async () => {
      const { child, ended, output } = await locked(['--json', cold('json', MIB)]);
      assert.deepEqual(JSON.parse(output()), { files: 1, bytes: MIB, failed: 0, pid: child.pid });
      child.kill();
      await ended;
    });

    it('keeps what it can lock, tells of the rest, and ends with 1', async () => {
      const { child, ended, output } = await locked([cold('there', MIB), file('absent')]);
      assert.equal(output(), '1 file, 1 MiB locked; 1 failed\n');
      child.kill();
      const { code, stderr } = await ended;
      assert.equal(code, 1);
      assert.match(stderr, /^memmap: .*absent: .*ENOENT.*\n$/);
    });

    it('ends with 1 if there is nothing to keep', () => {
      assert.equal(memmap(['lock', file('absent')]).status, 1);
    });
  });

  describe('interrupted while it reads', () => {
    it('ends with 130, and leaves no pidfile', async () => {
      const path = cold('large', 256 * MIB);
      const pidfile = file('reading.pid');
      const { code, stdout, stderr } = await begin(['--pidfile', pidfile, path], { env: { NODE_OPTIONS: INTERRUPTED } }).ended;
      assert.deepEqual([code, stdout, stderr], [130, '', '']);
      assert.ok(fincore([path])[0] < (256 * MIB) / PAGE);
      assert.ok(!existsSync(pidfile));
    });

    it('leaves none at a second signal', async () => {
      const pidfile = file('twice.pid');
      const { child, ended } = begin(['--pidfile', pidfile, cold('twice', 256 * MIB)]);
      await until(() => existsSync(pidfile), 'it reads');
      child.kill('SIGINT');
      await until(() => !existsSync(pidfile), 'the first is heard');
      child.kill('SIGINT');
      await ended;
      assert.ok(!existsSync(pidfile));
    });
  });

  describe('with a pidfile', () => {
    let path;
    before(() => {
      path = file('pages', Buffer.alloc(PAGE, 1));
    });

    /** All that is there of it. */
    const left = (name) => readdirSync(dirname(file('x'))).filter((entry) => entry.startsWith(name));

    it('has its number in it while it runs', async () => {
      const { child, ended } = await locked(['--pidfile', file('own.pid'), path]);
      assert.equal(readFileSync(file('own.pid'), 'utf8'), `${child.pid}\n`);
      assert.deepEqual(left('own.pid'), ['own.pid']);
      child.kill();
      await ended;
      assert.deepEqual(left('own.pid'), []);
    });

    it('gives way to a process that is alive', async () => {
      const { child, ended } = await locked(['--pidfile', file('taken.pid'), path]);
      const second = memmap(['lock', '--pidfile', file('taken.pid'), path]);
      assert.equal(second.status, 1);
      assert.match(second.stderr, new RegExp(`taken\\.pid is held by process ${child.pid}`));
      assert.equal(readFileSync(file('taken.pid'), 'utf8'), `${child.pid}\n`);
      assert.deepEqual(left('taken.pid'), ['taken.pid']);
      child.kill();
      await ended;
    });

    it('takes the place of one that was killed', async () => {
      const first = await locked(['--pidfile', file('stale.pid'), path]);
      first.child.kill('SIGKILL');
      await first.ended;
      assert.equal(readFileSync(file('stale.pid'), 'utf8'), `${first.child.pid}\n`);
      const { child, ended } = await locked(['--pidfile', file('stale.pid'), path]);
      assert.equal(readFileSync(file('stale.pid'), 'utf8'), `${child.pid}\n`);
      assert.deepEqual(left('stale.pid'), ['stale.pid']);
      child.kill();
      await ended;
      assert.deepEqual(left('stale.pid'), []);
    });

    it('leaves alone what is not a pidfile', () => {
      const other = file('other.pid', 'a letter');
      const { status, stderr } = memmap(['lock', '--pidfile', other, path]);
      assert.equal(status, 1);
      assert.match(stderr, /is not a pidfile/);
      assert.equal(readFileSync(other, 'utf8'), 'a letter');
    });

    it('is had by one of many that start at once', async () => {
      writeFileSync(file('race.pid'), '4194304\n'); // of no process: past the largest number
      const all = Array.from({ length: 6 }, () => begin(['--pidfile', file('race.pid'), path]));
      const owner = () => all.filter(({ output }) => output() !== '');
      await until(() => all.filter(({ child }) => child.exitCode === 1).length === 5, 'five give way');
      await until(() => owner().length === 1, 'one stays');
      const [{ child, ended }] = owner();
      assert.equal(readFileSync(file('race.pid'), 'utf8'), `${child.pid}\n`);
      child.kill();
      await ended;
    });
  });

  describe('without the right to lock', () => {
    /** As nobody, with a limit of so many bytes. */
    function limited(bytes, args) {
      chmodSync(dirname(file('x')), 0o777);
      const command = [`--memlock=${bytes}:${bytes}`, 'setpriv', '--reuid=65534', '--clear-groups', process.execPath, MEMMAP, 'lock', ...args];
      return spawnSync('prlimit', command, { encoding: 'utf8', timeout: 30_000 });
    }

    it('says before anything is read what is needed, what the limit is, and how to raise it', () => {
      const path = cold('too-large', 100 * PAGE + 1);
      const { status, stdout, stderr } = limited(65_536, ['--pidfile', file('limit.pid'), path]);
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, /404 KiB of locked memory \(413696 bytes\).*RLIMIT_MEMLOCK = 65536.*LimitMEMLOCK=413696.*ulimit -l 404/);
      assert.deepEqual(fincore([path]), [0]);
      assert.ok(!existsSync(file('limit.pid')));
    });

    it('locks up to the limit', async () => {
      const path = cold('fits', 16 * PAGE);
      chmodSync(dirname(path), 0o777);
      // Each of them becomes the next one: a signal is for the last.
      const lock = start('prlimit', ['--memlock=65536:65536', 'setpriv', '--reuid=65534', '--clear-groups', process.execPath, MEMMAP, 'lock', path]);
      running.push(lock);
      await until(() => lock.output().endsWith('\n') || lock.child.exitCode !== null, 'it is locked');
      lock.child.kill();
      const { code, stdout, stderr } = await lock.ended;
      assert.deepEqual([code, stdout, stderr], [0, '1 file, 64 KiB locked\n', '']);
    });
  });

  describe('as a service', () => {
    const MANAGER = `
import select
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print('bound', flush=True)
while True:
    # The descriptor of a barrier is closed as soon as it is there.
    text = s.recv(4096).decode().replace('\\n', ' ')
    print(text, flush=True)
    if 'STOPPING' in text: break`;

    it('tells its manager when all is locked, how much, and when it stops', async function () {
      needsTools(this, 'systemd-notify');
      const socket = file('notify');
      rmSync(socket, { force: true }); // it may be tried again: see despiteReclaim()
      const manager = python(MANAGER, [socket]);
      running.push(manager);
      await until(() => manager.output() !== '', 'the manager listens');
      const { child, ended } = begin(['-q', cold('served', MIB)], { env: { NOTIFY_SOCKET: socket } });
      await until(() => manager.output().includes('READY'), 'it is ready');
      assert.match(manager.output(), /READY=1/);
      assert.match(manager.output(), /STATUS=1 file, 1 MiB locked/);
      assert.equal(bytesLocked(child.pid), MIB);
      child.kill();
      assert.equal((await ended).code, 0);
      assert.match((await manager.ended).stdout, /STOPPING=1/);
    });

    it('goes on where systemd-notify is missing, and says what that means', async () => {
      const { child, ended } = await locked([cold('unheard', PAGE)], { env: { NOTIFY_SOCKET: file('nobody'), PATH: '/nowhere' } });
      await until(() => bytesLocked(child.pid) === PAGE, 'it is locked');
      child.kill();
      const { code, stderr } = await ended;
      assert.equal(code, 0);
      assert.match(stderr, /^memmap: cannot notify systemd: .*ENOENT.* Type=exec\n$/);
    });
  });
});
