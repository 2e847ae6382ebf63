// memmap doctor: its facts are those of /proc, its findings follow from them, and its commands help:
// lib/cli/doctor/{doctor,read-facts}.ts, lib/cli/doctor/checks.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';

import { MEMMAP, memmap } from '../../support/cli/cli.mjs';
import { findingsOf } from '../../support/cli/doctor.mjs';
import { CASES, HEALTHY } from '../../support/cli/doctor-cases.mjs';
import { skip } from '../../support/hooks.mjs';
import { needsTools } from '../../support/process/tools.mjs';

const isRoot = process.getuid() === 0;
const MIB = 2 ** 20;

function readText(path) {
  return readFileSync(path, 'utf8').trim();
}

function diagnose(args = [], options) {
  const { status, stdout, stderr } = memmap(['doctor', '--json', ...args], options);
  assert.equal(stderr, '');
  return { status, ...JSON.parse(stdout) };
}

function find({ findings }, id) {
  const found = findings.filter((one) => one.id === id);
  assert.equal(found.length, 1, id);
  return found[0];
}

/** Runs a shell's commands where mounts are its own: the doctor's answer after each `doctor`. */
function privately(context, script) {
  if (!isRoot) skip(context, 'no root: cannot mount');
  const doctor = `doctor() { ${process.execPath} ${MEMMAP} doctor --json "$@" && code=0 || code=$?; echo "--- $code"; }`;
  needsTools(context, 'unshare');
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-ec', `${doctor}\n${script}`], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0) skip(context, `cannot mount: ${stderr.trim()}`);
  const parts = stdout.split(/^--- (\d+)\n/m);
  const answers = [];
  for (let i = 0; i + 1 < parts.length; i += 2) answers.push({ status: Number(parts[i + 1]), ...JSON.parse(parts[i]) });
  return answers;
}

/** What there is to say of the healthy server, once this is otherwise: the finding. */
function judge(id, changes) {
  const findings = findingsOf({ ...HEALTHY, ...changes });
  for (const one of findings) if (one.id !== id) assert.equal(one.level, 'ok', one.title);
  return find({ findings }, id);
}

describe('memmap doctor', () => {
  describe('judges other machines by their facts:', () => {
    it('a healthy one', () => {
      for (const { level, title } of findingsOf(HEALTHY)) assert.equal(level, 'ok', title);
    });

    for (const [name, [id, changes, level, said, command]] of Object.entries(CASES)) {
      it(name, () => {
        const finding = judge(id, changes);
        assert.equal(finding.level, level, finding.title);
        assert.match(finding.title, said);
        assert.ok(finding.detail.length > 10);
        if (level === 'care' && !id.startsWith('path:')) assert.ok(finding.fix.length > 0);
        if (command === undefined) return;
        assert.ok(finding.fix.some((one) => (typeof command === 'string' ? one === command : command.test(one))), finding.fix.join('\n'));
      });
    }

    it('all commands are a shell’s, and root needs no sudo', () => {
      for (const root of [true, false]) {
        for (const [, changes] of Object.values(CASES)) {
          for (const { fix = [] } of findingsOf(Object.assign({}, HEALTHY, changes, { root }))) {
            for (const line of fix) {
              assert.equal(spawnSync('sh', ['-nc', line]).status, 0, line);
              if (root) assert.doesNotMatch(line, /sudo/);
            }
          }
        }
      }
    }).timeout(120_000);
  });

  describe('on this machine', () => {
    it('looks at what /proc and /sys have', () => {
      const { facts } = diagnose(['/tmp', '/proc']);
      assert.equal(facts.kernel, readText('/proc/sys/kernel/osrelease'));
      assert.equal(facts.maxMapCount, Number(readText('/proc/sys/vm/max_map_count')));
      assert.equal(facts.overcommit.mode, Number(readText('/proc/sys/vm/overcommit_memory')));
      assert.equal(facts.overcommit.ratio, Number(readText('/proc/sys/vm/overcommit_ratio')));
      assert.equal(facts.swap.swappiness, Number(readText('/proc/sys/vm/swappiness')));
      const meminfo = readText('/proc/meminfo');
      const kilobytes = (key) => 1024 * Number(new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(meminfo)[1]);
      assert.equal(facts.memory.total, kilobytes('MemTotal'));
      assert.equal(facts.swap.total, kilobytes('SwapTotal'));
      assert.equal(facts.overcommit.limit, kilobytes('CommitLimit'));
      const [, soft, hard] = /^Max locked memory +(\S+) +(\S+)/m.exec(readText('/proc/self/limits'));
      assert.equal(String(facts.lock.soft), soft);
      assert.equal(String(facts.lock.hard), hard);
      const [tmp, proc] = facts.places;
      assert.equal(tmp.magic, statfsSync('/tmp').type);
      assert.equal(tmp.size, statfsSync('/tmp').blocks * statfsSync('/tmp').bsize);
      assert.equal(proc.type, 'proc');
      assert.equal(proc.mount, '/proc');
      assert.equal(facts.shm.size, statfsSync('/dev/shm').blocks * statfsSync('/dev/shm').bsize);
      for (const { size, total } of facts.pools) assert.equal(total, Number(readText(`/sys/kernel/mm/hugepages/hugepages-${size / 1024}kB/nr_hugepages`)));
    });

    it('says 1 if something needs care, 0 else', () => {
      for (const paths of [[], ['/proc']]) {
        const { status, findings, care } = diagnose(paths);
        assert.equal(care, findings.filter(({ level }) => level === 'care').length);
        assert.equal(status, care > 0 ? 1 : 0);
      }
      assert.equal(find(diagnose(['/proc']), 'path:/proc').level, 'care');
      assert.equal(find(diagnose(['/not/there']), 'path:/not/there').detail, 'ENOENT: no such file or directory');
    });

    it('has a line for each thing, and explains what needs care', () => {
      const { findings } = diagnose(['/proc']);
      const short = memmap(['doctor', '/proc'], { env: { COLUMNS: '300' } }).stdout;
      const long = memmap(['doctor', '-v', '/proc'], { env: { COLUMNS: '300' } }).stdout;
      const SIGN = { care: '!', note: 'i', ok: '+' };
      for (const { level, title, detail, fix = [], id } of findings) {
        // What is free changes from call to call.
        const line = `${SIGN[level]} ${title}`;
        if (!['shm', 'swap', 'overcommit', 'memory-limit'].includes(id)) {
          assert.ok(short.includes(`${line}\n`), line);
          assert.ok(long.includes(`${line}\n`), line);
        }
        assert.equal(short.includes(detail.slice(0, 60)), level === 'care', detail);
        assert.ok(long.includes(detail.slice(0, 60)), detail);
        for (const command of fix) assert.ok(long.includes(`$ ${command.split('  # ')[0]}`), command);
      }
      assert.match(short, /\n\d needs? care; \d+ worth knowing, \d+ fine/);
    });

    it('fits the terminal, but for commands; ✓ where it has colours', () => {
      for (const width of [60, 80, 160]) {
        const { stdout } = memmap(['doctor', '-v', '/proc', '/tmp'], { env: { COLUMNS: String(width) } });
        for (const line of stdout.split('\n')) if (!line.includes('$ ')) assert.ok(line.length <= width, line);
      }
      const colour = memmap(['doctor', '/proc'], { env: { FORCE_COLOR: '1' } }).stdout;
      assert.ok(colour.includes('\u001b[32m✓\u001b[39m '), colour);
      assert.ok(colour.includes('\u001b[31m\u001b[1m!\u001b[22m\u001b[39m \u001b[1m/proc is on proc'), colour);
    });
  });

  describe('its commands help:', () => {
    it('vm.max_map_count, at once and for good', function () {
      if (!isRoot) skip(this, 'no root: cannot lower vm.max_map_count');
      needsTools(this, 'sysctl');
      const path = '/proc/sys/vm/max_map_count';
      const before = readText(path);
      try {
        if (Number(before) > 65_530) skip(this, `vm.max_map_count is ${before}: somebody may need that`);
        try {
          writeFileSync(path, '65529'); // enough for whoever runs beside us
        } catch (error) {
          skip(this, `/proc/sys: ${error.code}`);
        }
        const sick = diagnose();
        assert.equal(sick.status, 1);
        const { level, fix } = find(sick, 'max-map-count');
        assert.equal(level, 'care');
        assert.match(memmap(['doctor']).stdout, /\n? {4}\$ sysctl -w vm.max_map_count=262144 {2}# until/);
        const [now, forGood] = fix;
        assert.equal(spawnSync('sh', ['-ec', now]).status, 0);
        assert.equal(readText(path), '262144');
        const well = diagnose();
        assert.equal(find(well, 'max-map-count').level, 'ok');
        assert.equal(well.care, sick.care - 1);
        assert.equal(well.status, well.care > 0 ? 1 : 0);
        // Where it is a mount's own, so that nothing stays.
        writeFileSync(path, '65529');
        const file = /tee (\S+)/.exec(forGood)[1];
        const [last] = privately(this, `mount -t tmpfs tmpfs /etc/sysctl.d\n{ ${forGood}\n} >&2\nsysctl -p ${file} >&2\ndoctor`);
        assert.equal(find(last, 'max-map-count').level, 'ok');
      } finally {
        writeFileSync(path, before);
      }
    });

    describe('RLIMIT_MEMLOCK', () => {
      before(function () {
        if (!isRoot) skip(this, 'no root: cannot be another user');
      });

      /** What the doctor says to one without CAP_IPC_LOCK, after what the shell has done. */
      const asNobody = (context, limit, shell = '') => {
        needsTools(context, 'prlimit');
        const { stdout, stderr } = spawnSync('prlimit', [
          `--memlock=${limit}`, 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', `${shell}\n${process.execPath} ${MEMMAP} doctor --json`,
        ], { encoding: 'utf8' });
        if (stderr.startsWith('prlimit: failed to set')) skip(context, `CAP_SYS_RESOURCE is missing for ${limit}`);
        assert.equal(stderr, '');
        return JSON.parse(stdout);
      };

      it('as far as the hard limit', function () {
        const low = asNobody(this, '65536:8388608');
        assert.deepEqual(low.facts.lock, { soft: 65536, hard: 8 * MIB, capable: false });
        const { level, fix } = find(low, 'memlock');
        assert.equal(level, 'care');
        assert.match(fix[0], /^ulimit -l 8192 /);
        const raised = asNobody(this, '65536:8388608', fix[0]);
        assert.equal(raised.facts.lock.soft, 8 * MIB);
        assert.equal(find(raised, 'memlock').level, 'note');
      });

      it('beyond the hard limit', function () {
        const [command] = find(asNobody(this, '65536:65536'), 'memlock').fix;
        assert.match(command, /^sudo prlimit --pid \$\$ /);
        assert.equal(find(asNobody(this, 'unlimited'), 'memlock').level, 'ok');
        const asRoot = spawnSync('prlimit', ['--memlock=65536:65536', 'sh', '-c', `${command.replace('sudo ', '')}\nulimit -l`], { encoding: 'utf8' });
        assert.equal(asRoot.stdout, 'unlimited\n', asRoot.stderr);
      });
    });

    it('/dev/shm', function () {
      const fill = 'mount -t tmpfs -o size=80M tmpfs /dev/shm\ndoctor\nhead -c 79M /dev/zero > /dev/shm/full\ndoctor';
      const [empty, full, larger] = privately(this, `${fill}\nmount -o remount,size=1G /dev/shm\ndoctor`);
      assert.equal(find(empty, 'shm').level, 'ok');
      assert.equal(full.status, 1);
      const { level, title, fix } = find(full, 'shm');
      assert.equal(level, 'care');
      assert.match(title, /has 1 MiB of 80 MiB free \(98.8% used\)/);
      assert.equal(fix[1], 'mount -o remount,size=1G /dev/shm  # at once');
      assert.equal(find(larger, 'shm').level, 'ok');
      const [container] = privately(this, 'mount -t tmpfs -o size=64M tmpfs /dev/shm\ndoctor');
      assert.match(find(container, 'shm').title, /container's default/);
    });
  });

  it('tells file systems apart', function () {
    const [answer] = privately(this, `
      mount -t tmpfs tmpfs /mnt
      cd /mnt
      mkdir a 'read only' upper work merged
      mount -t tmpfs -o size=1M tmpfs a; head -c 2M /dev/zero > a/full 2> /dev/null || true
      mount -t tmpfs -o ro tmpfs 'read only'
      mount -t overlay -o lowerdir=a,upperdir=upper,workdir=work overlay merged
      doctor a 'read only' merged merged/full /sys`);
    const said = answer.findings.filter(({ id }) => id.startsWith('path:')).map(({ level, title }) => `${level} ${title}`);
    assert.deepEqual(said, [
      'care a is on tmpfs', 'note read only is on tmpfs, read-only', 'note merged is on overlay', 'note merged/full is on overlay', 'care /sys is on sysfs',
    ]);
    assert.match(find(answer, 'path:a').detail, /It is full/);
  });
});
