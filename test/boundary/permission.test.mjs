// Under `node --permission` the package asks as node:fs does before it opens a file: lib/internal/path.ts,
// lib/file/{map-file,residency-of,touch,open-file}.ts, lib/store/open.ts, lib/shm/socket/unix-address.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { skip } from '../support/hooks.mjs';
import { temporaryFiles } from '../support/temp.mjs';

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));
const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';

describe('node --permission', function () {
  const file = temporaryFiles();
  const allowed = (name) => file(`allowed/${name}`);

  before(() => {
    mkdirSync(file('allowed'));
    for (const name of ['secret', 'allowed/open', 'allowed-not']) writeFileSync(file(name), 'four');
    writeFileSync(Buffer.concat([Buffer.from(file('secret')), Buffer.of(255)]), 'four');
    writeFileSync(Buffer.concat([Buffer.from(allowed('open')), Buffer.of(255)]), 'four');
  });

  /** Runs the code with these permissions, and returns what it prints as JSON. `root`: where the package is. */
  function run(code, { root = PACKAGE, rights = [] } = {}) {
    const script = file('script.mjs', `
      const at = (entry) => import(${JSON.stringify(pathToFileURL(root).href)} + '/dist/' + entry + '.js');
      const tell = (value) => console.log(JSON.stringify(value));
      ${code}`);
    const args = ['--no-warnings', flag, '--allow-addons', `--allow-fs-read=${root}`, `--allow-fs-read=${script}`, ...rights, script];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
  }

  /** What each call ends in: an error's [code, permission, resource], or 'done'. */
  const outcomes = (body) => `
    const outcomes = {};
    const named = async (name, call) => {
      try { const one = await call(); one?.close?.(); outcomes[name] = 'done'; }
      catch (error) { outcomes[name] = error.code === 'ERR_ACCESS_DENIED' ? [error.permission, error.resource] : String(error.stack); }
    };
    ${body}
    tell(outcomes);`;

  const reads = () => [`--allow-fs-read=${file('allowed')}/`];
  // A store records in which boot of the machine it was open.
  const writes = () => [...reads(), '--allow-fs-read=/proc/sys/kernel/random/boot_id', `--allow-fs-write=${file('allowed')}/`];

  it('the import needs the package only', () => {
    const told = run(`const { mapAnonymous } = await at('index'); await at('shm/index'); await at('store/index');
      const mapping = mapAnonymous({ length: 8192 }); mapping.bytes[5] = 1; mapping.close(); tell('imported');`);
    assert.equal(told, 'imported');
  });

  it('so does the import of a prebuilt addon', function () {
    const root = file('package');
    const built = join(PACKAGE, 'build/Release/memmap.node');
    if (!existsSync(built)) skip(this, 'no addon was built here');
    const isMusl = process.report.getReport().header.glibcVersionRuntime === undefined;
    mkdirSync(join(root, `prebuilds/linux-${process.arch}`), { recursive: true });
    cpSync(built, join(root, `prebuilds/linux-${process.arch}/memmap.${isMusl ? 'musl' : 'glibc'}.node`));
    for (const name of ['dist', 'package.json']) cpSync(join(PACKAGE, name), join(root, name), { recursive: true });
    const builder = dirname(fileURLToPath(import.meta.resolve('node-gyp-build')));
    cpSync(realpathSync(builder), join(root, 'node_modules/node-gyp-build'), { recursive: true });
    assert.equal(run(`const { PAGE_SIZE } = await at('sys/index'); tell([PAGE_SIZE > 0, process.env.LIBC ?? 'unset'].join());`, { root }), 'true,unset');
  });

  it('reading needs fs.read, for each form of a path', () => {
    const [secret, open] = [file('secret'), allowed('open')];
    const told = run(outcomes(`
      const { mapFile, residencyOf, residencyOfAll, touch, dump, dumpAll, restore, restoreAll, reserve } = await at('index');
      const bytes = (path) => Buffer.concat([Buffer.from(path), Buffer.of(255)]);
      const forms = (path) => ({ string: path, buffer: Buffer.from(path), bytes: new Uint8Array(Buffer.from(path)), notUtf8: bytes(path) });
      for (const [where, path] of [['secret', ${JSON.stringify(secret)}], ['open', ${JSON.stringify(open)}]]) {
        for (const [form, one] of Object.entries(forms(path))) {
          await named(where + ' mapFile ' + form, () => mapFile(one));
          await named(where + ' residencyOf ' + form, () => { residencyOf(one); });
          await named(where + ' touch ' + form, () => touch([one]));
          await named(where + ' touch generated ' + form, () => touch(new Set([one])));
          await named(where + ' dump ' + form, () => { dump(one); });
          await named(where + ' residencyOfAll ' + form, () => residencyOfAll([one]));
          await named(where + ' dumpAll ' + form, () => dumpAll(new Set([one])));
        }
        await named(where + ' mapFile url', () => mapFile(new URL('file://' + path)));
        await named(where + ' mapFile notUtf8 url', () => mapFile(new URL('file://' + path + '%FF')));
        await named(where + ' restore', () => restore({ path, size: 4, modified: 1, runs: [] }));
        await named(where + ' restoreAll', () => restoreAll([{ path, size: 4, modified: 1, runs: [] }]));
      }
      for (const dots of ['../secret', './../allowed/../secret']) {
        const path = ${JSON.stringify(file('allowed'))} + '/' + dots;
        await named('secret dots ' + dots, () => mapFile(path));
        await named('secret dots buffer ' + dots, () => mapFile(Buffer.from(path)));
        await named('secret dots notUtf8 ' + dots, () => touch([bytes(path)]));
      }
      await named('open dots', () => mapFile(${JSON.stringify(file('allowed'))} + '/../allowed/open'));
      await named('sibling', () => mapFile(${JSON.stringify(file('allowed-not'))}));
      await named('copy-on-write', () => mapFile(${JSON.stringify(open)}, { access: 'copy-on-write' }));
    `), { rights: reads() });
    for (const [name, outcome] of Object.entries(told)) {
      if (name.startsWith('secret')) {
        const resource = /notUtf8/.test(name) ? `${secret}\ufffd` : secret;
        assert.deepEqual(outcome, ['FileSystemRead', resource], name);
      } else if (name === 'sibling') {
        assert.deepEqual(outcome, ['FileSystemRead', file('allowed-not')]);
      } else {
        assert.equal(outcome, 'done', name);
      }
    }
    assert.equal(Object.keys(told).length, 73);
  });

  it('writing needs fs.write', () => {
    const body = `
      const { mapFile } = await at('index');
      const { Store } = await at('store/index');
      const { listen, connect, SharedMemory } = await at('shm/index');
      const open = ${JSON.stringify(allowed('open'))};
      await named('mapFile', () => mapFile(open, { access: 'read-write' }));
      await named('create', () => mapFile(open + '-new', { access: 'read-write', create: true, size: 5 }));
      await named('store', () => Store.open(open + '-store'));
      await named('listen', () => listen(open + '-socket', () => undefined));
      await named('connect', () => connect(open + '-nobody'));
      await named('memory', () => SharedMemory.create({ name: 'memmap-permission', length: 4096 }));
      await named('open memory', () => SharedMemory.open('memmap-permission', { access: 'read' }));`;
    const told = run(outcomes(body), { rights: reads() });
    const [open, memory] = [allowed('open'), '/dev/shm/memmap-permission'];
    assert.deepEqual(told, {
      mapFile: ['FileSystemWrite', open],
      create: ['FileSystemWrite', `${open}-new`],
      store: ['FileSystemWrite', `${open}-store`],
      listen: ['FileSystemWrite', `${open}-socket`],
      connect: ['FileSystemWrite', `${open}-nobody`],
      memory: ['FileSystemRead', memory],
      'open memory': ['FileSystemRead', memory],
    });
    assert.ok(!existsSync(`${open}-new`) && !existsSync(memory));
    const done = run(outcomes(body), { rights: writes() });
    for (const name of ['mapFile', 'create', 'store']) assert.equal(done[name], 'done', `${name}: ${done[name]}`);
    assert.match(done.connect, /ENOENT/);
  });

  it('a descriptor needs no permission', () => {
    const told = execFileSync('sh', ['-c', `exec 3< "$0"; exec "$@"`, file('secret'), process.execPath, '--no-warnings', flag, '--allow-addons', `--allow-fs-read=${PACKAGE}`, '--input-type=module', '-e', `
      const { mapFile, residencyOf } = await import(${JSON.stringify(import.meta.resolve('memmap'))});
      const mapping = mapFile(3);
      console.log(mapping.bytes.toString(), mapping.size(), mapping.refresh(), residencyOf(3).pages);
      mapping.close();`], { encoding: 'utf8' });
    assert.equal(told, 'four 4 false 1\n');
  });
});
