// The disks of the machine: the root image (busybox, Node, mocha), the project, and the file
// systems of the NVDIMMs. All are made without mounting anything.
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';

import { digest, keep } from './cache.mjs';
import { closure } from './closure.mjs';
import { command } from './command.mjs';
import { crossLibraries, installNode } from './cross.mjs';
import { Archive } from './packages.mjs';

const MIB = 2 ** 20;
const MACHINE = new URL('guest/machine', import.meta.url);

/** Space that tests have on the root image, beside what is in it. The file is sparse. */
const ROOM = 1024 * MIB;

/** An ext4 image with the contents of a folder and some room. */
function makeImage(image, folder, room) {
  const [bytes] = command('du', ['--summarize', '--block-size=1', folder]).split('\t');
  const blocks = Math.ceil((Number(bytes) * 1.1 + room) / 4096);
  // Packages of npm may be readable by their owner only; the tests also run as nobody.
  command('chmod', ['-R', 'a+rX', folder]);
  command('mke2fs', [
    '-q', '-F', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-E', 'lazy_itable_init=0,root_owner=0:0',
    '-d', folder, image, String(blocks),
  ]);
}

/** The path of a static busybox. */
export async function buildBusybox(cache, architecture) {
  const archive = new Archive(cache, { architecture });
  const folder = await keep(cache, join('busybox', architecture), archive.versionOf('busybox-static'), (unfinished) => {
    archive.unpack('busybox-static', unfinished);
  });
  return join(folder, 'bin/busybox');
}

/** Node of the architecture, and the libraries that it and the addon are linked with. */
function nodeOf(cache, architecture) {
  if (architecture === 'arm64') return { node: installNode(), libraries: crossLibraries() };
  const libraries = command('ldd', [process.execPath]).match(/\/\S+/g);
  return { node: process.execPath, libraries: libraries.map((path) => ({ from: path, to: path })) };
}

/** The path of the root image. */
export async function buildRoot(cache, project, architecture, busybox) {
  const { node, libraries } = nodeOf(cache, architecture);
  const lock = join(project, 'package-lock.json');
  const { dependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
  const modules = closure(lock, [...Object.keys(dependencies), 'mocha']);
  const madeOf = [node, statSync(node).mtimeMs, digest(readFileSync(lock)), digest(readFileSync(busybox)), readFileSync(MACHINE, 'utf8')];
  const folder = await keep(cache, join('root', architecture), madeOf, (unfinished) => {
    const root = join(unfinished, 'files');
    const folders = ['bin', 'sbin', 'etc', 'dev', 'proc', 'sys', 'tmp', 'run', 'mnt', 'root', 'work', 'usr/bin', 'var/tmp', 'lib', 'lib64'];
    for (const name of folders) mkdirSync(join(root, name), { recursive: true });
    copyFileSync(busybox, join(root, 'bin/busybox'));
    chmodSync(join(root, 'bin/busybox'), 0o755);
    symlinkSync('busybox', join(root, 'bin/sh')); // the others are made by guest/machine
    copyFileSync(MACHINE, join(root, 'sbin/machine'));
    chmodSync(join(root, 'sbin/machine'), 0o755);
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
    copyFileSync(node, join(root, 'usr/bin/node'));
    for (const { from, to } of libraries) {
      mkdirSync(join(root, dirname(to)), { recursive: true });
      copyFileSync(from, join(root, to));
    }
    for (const module of modules) copyModule(join(project, module), join(root, module));
    makeImage(join(unfinished, 'root.ext4'), root, ROOM);
    rmSync(root, { recursive: true });
  });
  return join(folder, 'root.ext4');
}

/** A package without those inside it: they are in the closure by themselves, if at all. */
function copyModule(from, to) {
  cpSync(from, to, { recursive: true, filter: (path) => !relative(from, path).split(sep).includes('node_modules') });
}

/** The disk with the project: what is built of it, its tests and the command to run. */
export function buildProject(image, project, { addon, script }) {
  const files = `${image}.files`;
  rmSync(files, { recursive: true, force: true });
  mkdirSync(join(files, 'build/Release'), { recursive: true });
  if (!existsSync(join(project, 'dist'))) throw new Error('the project is not built: npm run build');
  for (const name of ['dist', '.unbundled', 'test', 'package.json']) {
    cpSync(join(project, name), join(files, name), { recursive: true, filter: (from) => basename(from) !== 'node_modules' });
  }
  copyFileSync(addon, join(files, 'build/Release/memmap.node'));
  writeFileSync(join(files, 'command'), script);
  makeImage(image, files, 16 * MIB);
  rmSync(files, { recursive: true });
}

/** The addon that this machine's Node loads. */
export function hostAddon(project) {
  return createRequire(join(project, 'package.json'))('node-gyp-build').path(project);
}

/**
 * What is in the NVDIMMs: fsdax, devdax (blank) and virtio-pmem. Written to never: QEMU gives the
 * machine a copy.
 */
export async function buildDimms(cache) {
  const size = 256 * MIB;
  // The claim of an fsdax namespace takes the first 2 MiB, so the file system begins behind it.
  const offset = 2 * MIB;
  return keep(cache, 'dimms', [size, offset], (folder) => {
    for (const name of ['fsdax', 'devdax', 'virtio']) {
      writeFileSync(join(folder, name), '');
      truncateSync(join(folder, name), size);
    }
    const ext4 = (name, start) => command('mke2fs', [
      '-q', '-F', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-E', `offset=${start},lazy_itable_init=0`,
      join(folder, name), String((size - start) / 4096),
    ]);
    ext4('fsdax', offset);
    ext4('virtio', 0);
  });
}
