// The names that the package exports, and how its addon is loaded: package.json, lib/index.ts,
// lib/{shm,store,sys}/index.ts, lib/internal/binding.ts, src-native/addon.cc.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as memmap from 'memmap';
import * as shm from 'memmap/shm';
import * as http from 'memmap/http';
import * as store from 'memmap/store';
import * as sys from 'memmap/sys';

const require = createRequire(import.meta.url);
const node = (...args) => spawnSync(process.execPath, args, { encoding: 'utf8' });

describe('The package', () => {
  it('exports functions, classes and errors by these names, and nothing else', () => {
    assert.deepEqual(Object.keys(memmap).toSorted(), [
      'AnonymousMapping', 'FaultError', 'FileMapping', 'Mapping', 'Reservation', 'StateError', 'SystemError', 'UnsupportedError',
      'configure', 'dump', 'dumpAll', 'features', 'guard', 'hugePagePools', 'mapAnonymous', 'mapFile', 'maps', 'memoryPolicy',
      'numaNodes', 'reserve', 'residencyOf', 'residencyOfAll', 'restore', 'restoreAll', 'setMemoryPolicy', 'touch',
    ]);
    assert.deepEqual(Object.keys(shm).toSorted(), [
      'Barrier', 'Channel', 'ChannelServer', 'Connection', 'Consumer', 'DuplexChannel', 'Event', 'FaultError', 'Listener', 'Mutex', 'PeerError',
      'Producer', 'RwLock', 'Semaphore', 'SharedMapping', 'SharedMemory', 'StateError', 'SystemError', 'UnsupportedError',
      'connect', 'listen', 'receiveFds', 'sendFds',
    ]);
    assert.deepEqual(Object.keys(http).toSorted(), ['FaultError', 'StateError', 'SystemError', 'UnsupportedError', 'respond', 'serve']);
    assert.deepEqual(Object.keys(store).toSorted(), ['FaultError', 'PeerError', 'StateError', 'Store', 'SystemError', 'UnsupportedError']);
  });

  it('can be required, and gives the same functions as import', () => {
    const program = `
      const { mapFile } = require('memmap');
      const { PAGE_SIZE, mmap } = require('memmap/sys');
      import('memmap').then((imported) => {
        const file = mapFile(process.execPath);
        console.log(imported.mapFile === mapFile, PAGE_SIZE, file.bytes.subarray(1, 4).toString(), mmap.name);
        file.close();
      });`;
    const { status, stdout, stderr } = node('--no-warnings', '--input-type=commonjs', '-e', program);
    assert.deepEqual([status, stdout], [0, `true ${sys.PAGE_SIZE} ELF mmap\n`], stderr);
  });

  it('prints nothing when it is imported', () => {
    const { status, stdout, stderr } = node('--input-type=module', '-e', "import 'memmap'; import 'memmap/http'; import 'memmap/shm'; import 'memmap/store'; import 'memmap/sys';");
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
  });

  it('lets nobody reach what it does not export', async () => {
    const inside = [
      'dist/index.js', 'dist/internal/binding.js', 'dist/sys/index.js', 'lib/index.ts', 'internal/binding', 'errors.js', 'dist/chunks',
      'build/Release/memmap.node', 'file', 'mem', 'sys/mmap', 'sys/index.js', 'index.js', 'prebuilds',
    ];
    for (const path of inside) {
      await assert.rejects(import(`memmap/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }, path);
      assert.throws(() => require.resolve(`memmap/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }, path);
    }
    assert.equal(require('memmap/package.json').name, 'memmap');
  });

  it('every file that exports names is there, with its types', () => {
    const { exports, types, files, bin, man } = JSON.parse(readFileSync('package.json', 'utf8'));
    const targets = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
    for (const target of [...targets, types, man, ...Object.values(bin)]) assert.ok(existsSync(target), target);
    assert.ok(files.includes('dist') && files.includes('prebuilds') && files.includes(man.replace('./', '')));
  });

  it('has the command memmap, which begins as executables of Node do, and depends on what it imports', () => {
    const { bin, dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    assert.deepEqual(bin, { memmap: './dist/cli/main.js' });
    assert.ok(readFileSync(bin.memmap, 'utf8').startsWith('#!/usr/bin/env node\n'));
    const folder = 'dist';
    const sources = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(folder, name), 'utf8'));
    const imported = sources.flatMap((source) => [...source.matchAll(/^(?:import|export) .*from "([^".][^"]*)";|\bimport\("([^".][^"]*)"\)/gm)].map(([, name, later]) => name ?? later));
    const packages = new Set(imported.filter((name) => !name.startsWith('node:')));
    assert.ok(packages.has('commander'));
    for (const name of packages) assert.ok(name in dependencies, `${name} is not among the dependencies`);
    for (const document of ['README.md', 'docs/command.md', 'CHANGELOG.md']) assert.match(readFileSync(document, 'utf8'), /\bmemmap presence\b|The command `memmap`/);
  });

  it('an addon that cannot be loaded is an error of the import, not of the first call', () => {
    const program = "await import('memmap').then(() => process.exit(1), (error) => console.log(error.code));";
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      env: { ...process.env, MEMMAP_ADDON: '/nowhere/memmap.node' },
    });
    assert.deepEqual([status, stdout], [0, 'MODULE_NOT_FOUND\n'], stderr);
  });

  it('stays loaded when only worker threads have loaded it, for buffers that die after them', () => {
    const program = `
      import { Worker } from 'node:worker_threads';
      import { once } from 'node:events';
      const code = "import('memmap').then(({ mapAnonymous }) => { const m = mapAnonymous({ length: 1 }); m.bytes[0] = 1; m.close(); })";
      const workers = [1, 2, 3].map(() => new Worker(code, { eval: true }));
      const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'exit'))[0]));
      console.log(codes.join(' '));`;
    const { status, stdout, stderr } = node('--input-type=module', '-e', program);
    assert.deepEqual([status, stdout], [0, '0 0 0\n'], stderr);
  });
});
