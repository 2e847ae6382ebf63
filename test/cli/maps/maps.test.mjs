// memmap maps says what /proc/PID/smaps says: lib/cli/maps/{maps,rows,table}.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual, stripVTControlCharacters } from 'node:util';

import { MEMMAP, memmap } from '../../support/cli/cli.mjs';
import { skip } from '../../support/hooks.mjs';
import { quiet } from '../../support/process/quiet.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { needsTools } from '../../support/process/tools.mjs';

const LIMIT = Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
const isRoot = process.getuid() === 0;

/** What smaps says, mapping by mapping: bytes. */
function smaps(pid) {
  const found = [];
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').trimEnd().split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$/.exec(line);
    if (head !== null) {
      found.push({ start: `0x${head[1]}`, end: `0x${head[2]}`, rights: head[3], name: head[4], size: Number(BigInt(`0x${head[2]}`) - BigInt(`0x${head[1]}`)) });
      continue;
    }
    const [, key, kilobytes] = /^(\w+): +(\d+) kB$/.exec(line) ?? [];
    if (key !== undefined) found.at(-1)[key] = Number(kilobytes) * 1024;
  }
  return found.filter(({ name }) => name !== '[vsyscall]');
}

function hugeOf(one) {
  return one.AnonHugePages + one.ShmemPmdMapped + one.FilePmdMapped + one.Shared_Hugetlb + one.Private_Hugetlb;
}

function json(args) {
  const { status, stdout, stderr } = memmap(['maps', '--json', ...args]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

/** What does not change as others map the same libraries. */
const ownOf = (one) => ({ start: one.start, end: one.end, rights: one.rights, rss: one.Rss, swap: one.Swap, huge: hugeOf(one), locked: one.Locked });

/** What `look` finds, and what smaps says meanwhile: again where the kernel took or joined pages between the two. */
function witnessed(pid, look) {
  for (let left = 9; ; left--) {
    const expected = smaps(pid);
    const found = look();
    if (left === 0 || isDeepStrictEqual(expected.map(ownOf), smaps(pid).map(ownOf))) return { expected, found };
  }
}

const EVERYTHING = `
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
shared = mmap.mmap(-1, 3 << 20)
shared.write(b'x' * (2 << 20))
locked = mmap.mmap(-1, 1 << 16)
locked.write(b'z' * (1 << 16))
assert libc.mlock((ctypes.c_char * (1 << 16)).from_buffer(locked), 1 << 16) == 0
fd = os.open(sys.argv[1], os.O_RDWR)
first = mmap.mmap(fd, 1 << 20)
first[:1 << 19]
second = mmap.mmap(fd, 1 << 20, prot=mmap.PROT_READ)
second[0]
# Reservations: apart from each other, so that the kernel cannot join them.
for i in range(40):
    at = libc.mmap(None, 1 << 33, 0, 0x4022, -1, 0)
    assert libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 3) == 0
    ctypes.memset(at, 1, 4096)
`;

/** Makes a map of about so many mappings. */
const MANY = `
import ctypes
libc = ctypes.CDLL(None)
pages = int(sys.argv[1])
area = mmap.mmap(-1, pages * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(area))
for page in range(0, pages, 2):
    assert libc.mprotect(ctypes.c_void_p(at + page * 4096), ctypes.c_size_t(4096), 1) == 0
`;

describe('memmap maps', () => {
  const file = temporaryFiles();
  let one;
  let data;
  before(async function () {
    needsTools(this, 'python3');
    data = file('data.bin', Buffer.alloc(1 << 20, 1));
    one = await quiet(EVERYTHING, [data]);
  });
  after(() => one?.stop());

  it('lists each mapping as the kernel does', () => {
    const { expected, found: { rows, mappings, limit } } = witnessed(one.pid, () => json(['--by', 'mapping', '--sort', 'address', one.pid]));
    assert.equal(mappings, Number(execFileSync('sh', ['-c', `grep -vc 'vsyscall' /proc/${one.pid}/maps`], { encoding: 'utf8' })));
    assert.equal(rows.length, mappings);
    assert.equal(limit, LIMIT);
    // Shares change as others come who map the same libraries: the command itself does.
    assert.deepEqual(
      rows.map(({ name: _name, pss: _pss, ...row }) => row),
      expected.map((row) => ({ ...ownOf(row), size: row.size })),
    );
    for (const [i, { name }] of rows.entries()) {
      const theirs = expected[i].name;
      assert.equal(name, theirs === '' ? '[anonymous]' : theirs === '/dev/zero (deleted)' ? '[anonymous shared]' : theirs);
    }
    const ours = rows.findIndex(({ size, name }) => size === 3 << 20 && name === '[anonymous shared]');
    assert.equal(rows[ours].pss, expected[ours].Pss);
    assert.ok(rows[ours].pss >= 2 << 20);
  });

  it('sums as smaps_rollup does', () => {
    const rollupOf = (pid) => Object.fromEntries(
      [...readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(/^(\w+): +(\d+) kB$/gm)].map(([, key, value]) => [key, 1024 * value]),
    );
    for (const by of ['file', 'mapping']) {
      const { expected, found } = witnessed(one.pid, () => ({ rollup: rollupOf(one.pid), ...json(['--by', by, one.pid]) }));
      const { rollup, total, rows, reserved } = found;
      assert.equal(total.rss, rollup.Rss);
      assert.equal(total.swap, rollup.Swap);
      assert.equal(total.locked, rollup.Locked);
      assert.equal(total.locked, 1 << 16);
      for (const key of ['count', 'size', 'rss', 'swap', 'huge', 'locked', 'pss']) {
        if (by === 'mapping' && key === 'count') continue;
        assert.equal(rows.reduce((sum, row) => sum + row[key], 0), total[key], key);
      }
      assert.equal(reserved.count, expected.filter((row) => row.rights.startsWith('---') && row.Rss === 0).length);
      assert.ok(reserved.count >= 40);
    }
  });

  it('puts all mappings of a file into a row, unless it shall not', () => {
    const { expected: all, found: { rows } } = witnessed(one.pid, () => json([one.pid]));
    const expected = all.filter(({ name }) => name === data);
    assert.equal(expected.length, 2);
    const found = rows.filter(({ name }) => name === data);
    assert.equal(found.length, 1);
    const sum = (key) => expected.reduce((bytes, row) => bytes + row[key], 0);
    assert.deepEqual(found[0], {
      name: data, rights: ['r--s', 'rw-s'], count: 2, size: 2 << 20, rss: sum('Rss'), pss: sum('Pss'), swap: 0, huge: found[0].huge, locked: 0,
    });
    assert.equal(new Set(rows.map(({ name }) => name)).size, rows.length);
    assert.equal(json(['--by', 'mapping', one.pid]).rows.filter(({ name }) => name === data).length, 2);
  });

  it('sorts by each column', () => {
    for (const key of ['pss', 'rss', 'swap', 'huge', 'locked', 'size']) {
      const values = json(['--by', 'mapping', '--sort', key, one.pid]).rows.map((row) => row[key]);
      assert.deepEqual(values, values.toSorted((a, b) => b - a), key);
    }
    assert.equal(json(['--sort', 'locked', one.pid]).rows[0].locked, 1 << 16);
    const names = json(['--sort', 'file', one.pid]).rows.map(({ name }) => name);
    assert.deepEqual(names, names.toSorted());
    const starts = json(['--sort', 'address', one.pid]).rows.map(({ start }) => BigInt(start));
    assert.deepEqual(starts, starts.toSorted((a, b) => (a < b ? -1 : 1)));
    const wrong = memmap(['maps', '--sort', 'colour', one.pid]);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /pss, rss, swap/);
  });

  it('keeps reservations out of the table, and says so', () => {
    const { stdout } = memmap(['maps', '--by', 'mapping', one.pid]);
    assert.doesNotMatch(stdout, /---p/);
    const reserved = smaps(one.pid).filter((row) => row.rights.startsWith('---') && row.Rss === 0);
    assert.ok(stdout.includes(`\n${reserved.length} more without rights or memory: 320 GiB of addresses (--all)\n`), stdout);
    const all = memmap(['maps', '--all', '--by', 'mapping', one.pid]).stdout;
    assert.equal(all.match(/ ---p /g).length, reserved.length);
    assert.doesNotMatch(all, /without rights/);
  });

  it('says what it leaves out', () => {
    const { stdout } = memmap(['maps', '--top', '3', one.pid]);
    const lines = stdout.trimEnd().split('\n');
    const { rows, total } = json([one.pid]);
    assert.equal(lines.length, 9);
    assert.match(lines[0], new RegExp(`^${one.pid}  .*python`));
    assert.match(lines[5], /more$/);
    assert.match(lines[6], /total$/);
    assert.ok(rows.length > 4);
    assert.equal(json(['--top', '3', one.pid]).rows.length, 3);
    assert.equal(total.count, smaps(one.pid).length);
    assert.equal(lines[7].includes('more without rights'), true);
  });

  it('fits the terminal, and shortens paths in the middle', () => {
    for (const by of ['file', 'mapping']) {
      for (const width of [80, 160]) {
        const { stdout } = memmap(['maps', '--by', by, one.pid], { env: { COLUMNS: String(width) } });
        const longest = Math.max(...stdout.split('\n').map((line) => line.length));
        assert.ok(longest <= width, `${longest} of ${width}`);
        if (width === 80) assert.match(stdout, / \/\S+\.\.\.\S+\.so/);
        else assert.match(stdout, /[0-9a-f]{12}-[0-9a-f]{12} |MAPS/);
      }
    }
    assert.ok(memmap(['maps', one.pid]).stdout.includes(data));
  });

  it('fills a terminal, and no more', function () {
    needsTools(this, 'script');
    const run = (rows) => spawnSync('script', ['-qec', `stty rows ${rows} cols 90; exec ${process.execPath} ${MEMMAP} maps ${one.pid}`, '/dev/null'], {
      encoding: 'utf8', env: { ...process.env, TERM: 'xterm' },
    });
    const { stdout } = run(20);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, 18, stdout);
    assert.ok(stdout.includes('\u001b['));
    for (const line of lines) assert.ok(stripVTControlCharacters(line).trimEnd().length <= 90, line);
    assert.equal(run(30).stdout.trimEnd().split('\n').length, 28);
  });

  describe('near vm.max_map_count', function () {
    before(function () {
      if (LIMIT > 300_000) skip(this, `vm.max_map_count is ${LIMIT}: too many to make`);
    });

    const withMany = async (share, act) => {
      const many = await quiet(MANY, [Math.floor(share * LIMIT)]);
      try {
        await act(many.pid, smaps(many.pid).length);
      } finally {
        await many.stop();
      }
    };
    const last = (text) => text.trimEnd().split('\n').slice(-2).join('\n');
    const COLOUR = { env: { FORCE_COLOR: '1' } };

    it('tells how near', async () => {
      await withMany(0.5, (pid, count) => {
        const { stdout } = memmap(['maps', pid], COLOUR);
        const line = `${count.toLocaleString('en-US')} of ${LIMIT.toLocaleString('en-US')} mappings (${((100 * count) / LIMIT).toFixed(1)}%)`;
        assert.equal(stdout.trimEnd().split('\n').at(-1), line);
      });
    });

    it('warns from 70% on', async () => {
      await withMany(0.75, (pid) => {
        const { stdout } = memmap(['maps', pid], COLOUR);
        assert.match(last(stdout), /[\d,]+ of [\d,]+ mappings \(7\d\.\d%\): .*ENOMEM/);
        assert.ok(last(stdout).includes('\n\u001b[33m'), last(stdout));
        assert.doesNotMatch(stdout, /sysctl/);
      });
    });

    it('says from 90% on what helps, and that helps', async function () {
      await withMany(0.93, (pid) => {
        const { stdout, status } = memmap(['maps', pid], COLOUR);
        assert.equal(status, 0);
        assert.match(last(stdout), /[\d,]+ of [\d,]+ mappings \(9\d\.\d%\)/);
        assert.ok(last(stdout).startsWith('\u001b[31m'), last(stdout));
        const command = stdout.trimEnd().split('\n').at(-1);
        assert.match(command, /^ {2}(sudo )?sysctl -w vm\.max_map_count=\d+$/);
        if (!isRoot) skip(this, 'no root: the command is not run');
        needsTools(this, 'sysctl');
        try {
          const ran = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
          if (ran.status !== 0) skip(this, `sysctl: ${ran.stderr}`);
          assert.doesNotMatch(memmap(['maps', pid]).stdout, /ENOMEM|sysctl/);
        } finally {
          writeFileSync('/proc/sys/vm/max_map_count', String(LIMIT));
        }
      });
    });
  });

  describe('refuses, and says why', () => {
    const refused = (args, status, pattern, options) => {
      const got = memmap(['maps', ...args], options);
      assert.equal(got.stdout, '');
      assert.match(got.stderr, pattern);
      assert.equal(got.status, status);
    };

    it('no process', () => refused([], 2, /no process given: memmap maps PID.*pgrep/));
    it('what is no number', () => {
      refused(['node'], 2, /'node' is not a process ID: memmap maps \$\(pgrep -n node\)/);
      for (const wrong of ['0', '1.5', '0x10', '99999999999', '']) refused([wrong], 2, /is not a process ID/);
    });
    it('a process that is not', () => refused(['4194305'], 1, /^memmap: there is no process 4194305\n$/));
    it('two wishes', () => refused(['--all', '--top', '3', 'self'], 2, /--all and --top/));

    it('a thread of the kernel', function () {
      let name;
      try {
        name = readFileSync('/proc/2/comm', 'utf8').trim();
      } catch {
        // A namespace of its own.
      }
      if (name !== 'kthreadd') skip(this, 'no threads of the kernel in sight');
      refused(['2'], 1, /process 2 \(kthreadd\) is a kernel thread: it has no mappings/);
    });

    it('a zombie', async () => {
      const parent = await quiet('pid = os.fork()\nif pid == 0: os._exit(0)\nos.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)\nopen(sys.argv[1], "w").write(str(pid))', [file('zombie')]);
      try {
        refused([readFileSync(file('zombie'), 'utf8')], 1, /has ended: a zombie has no mappings/);
      } finally {
        await parent.stop();
      }
    });

    it("another user's", function () {
      if (!isRoot) skip(this, 'no root: cannot be another user');
      needsTools(this, 'setpriv');
      const got = spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, MEMMAP, 'maps', String(one.pid)], { encoding: 'utf8' });
      assert.equal(got.status, 1);
      assert.ok(got.stderr.includes(`process ${one.pid} belongs to another user`), got.stderr);
      assert.ok(got.stderr.endsWith(`: sudo memmap maps ${one.pid}\n`), got.stderr);
    });
  });

  it("shows its own process as 'self'", () => {
    const { command, mappings } = json(['self']);
    assert.equal(command[0], process.execPath);
    assert.ok(mappings > 20);
  });
});
