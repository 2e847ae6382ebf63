// A kernel as QEMU boots it: vmlinuz, and an initrd that loads modules and mounts the root image.
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { digest, keep } from './cache.mjs';
import { command } from './command.mjs';
import { KERNELS, MODULES } from './kernels.mjs';
import { Archive } from './packages.mjs';

const INIT = new URL('guest/init', import.meta.url);

/** From about 6.19 on linux-image-* is empty and depends on these. */
const PARTS = /^linux-(?:binary|modules)-\d/;

/** The folder with vmlinuz and initrd of a kernel; `busybox` is the program's path. */
export async function buildKernel(cache, name, busybox) {
  const { meta, release, architecture } = KERNELS[name];
  const archive = new Archive(cache, { release, architecture });
  const kernel = archive.kernelOf(meta);
  const madeOf = [archive.versionOf(kernel), MODULES, readFileSync(INIT, 'utf8'), digest(readFileSync(busybox))];
  return keep(cache, join('kernels', name), madeOf, (folder) => {
    const files = join(folder, 'package');
    archive.unpack(kernel, files, PARTS);
    copyFileSync(find(files, /^vmlinuz/), join(folder, 'vmlinuz'));
    buildInitrd(folder, files, busybox);
    rmSync(files, { recursive: true });
  });
}

/** The file of a package with such a name. It may lie in /boot or with the modules. */
function find(files, pattern) {
  for (const place of ['boot', 'lib/modules', 'usr/lib/modules']) {
    if (!existsSync(join(files, place))) continue;
    const entries = readdirSync(join(files, place), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(place, entry.name));
    for (const folder of [place, ...folders]) {
      const file = readdirSync(join(files, folder), { withFileTypes: true }).find((entry) => entry.isFile() && pattern.test(entry.name));
      if (file !== undefined) return join(files, folder, file.name);
    }
  }
  throw new Error(`the kernel package has no file like ${pattern}`);
}

function buildInitrd(folder, files, busybox) {
  const root = join(folder, 'initrd.d');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'mnt', 'modules']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync(busybox, join(root, 'bin/busybox'));
  symlinkSync('busybox', join(root, 'bin/sh'));
  copyFileSync(INIT, join(root, 'init'));
  for (const program of ['init', 'bin/busybox']) chmodSync(join(root, program), 0o755);
  const order = modules(files).map((module) => unpackModule(module, join(root, 'modules')));
  writeFileSync(join(root, 'modules/order'), order.map((name) => `${name}\n`).join(''));
  // Not compressed: the emulated CPU would take longer to inflate it than the disk to read it.
  const paths = readdirSync(root, { recursive: true }).toSorted();
  const archive = command('cpio', ['--create', '--format=newc', '--owner=0:0', '--quiet'], {
    cwd: root,
    input: Buffer.from(['.', ...paths].map((path) => `${path}\n`).join('')),
    stdio: ['pipe', 'pipe', 'pipe'],
    encoding: 'buffer',
  });
  writeFileSync(join(folder, 'initrd'), archive);
  rmSync(root, { recursive: true });
}

/** The files of MODULES and all they depend on, each before those that need it. */
function modules(files) {
  const base = existsSync(join(files, 'lib/modules')) ? files : join(files, 'usr');
  const [version] = readdirSync(join(base, 'lib/modules'));
  command('depmod', ['--basedir', base, version]);
  const folder = join(base, 'lib/modules', version);
  const needs = new Map();
  for (const line of readFileSync(join(folder, 'modules.dep'), 'utf8').trim().split('\n')) {
    const [file, dependencies] = line.split(': ');
    // modules.dep lists the nearest dependency first: loaded last.
    needs.set(file.replace(/:$/, ''), (dependencies ?? '').split(' ').filter((name) => name !== '').toReversed());
  }
  const nameOf = (file) => basename(file).replace(/\.ko(\..*)?$/, '').replaceAll('-', '_');
  const byName = new Map([...needs.keys()].map((file) => [nameOf(file), file]));
  const order = MODULES.flatMap((name) => {
    const file = byName.get(name.replaceAll('-', '_'));
    return file === undefined ? [] : [...needs.get(file), file];
  });
  return [...new Set(order)].map((file) => join(folder, file));
}

/** Copies a module, inflated, and returns its name there. */
function unpackModule(file, folder) {
  const name = basename(file).replace(/\.(xz|zst)$/, '');
  if (file.endsWith('.xz')) writeFileSync(join(folder, name), command('xz', ['--decompress', '--stdout', file], { encoding: 'buffer' }));
  else if (file.endsWith('.zst')) writeFileSync(join(folder, name), command('zstd', ['--decompress', '--stdout', '-q', file], { encoding: 'buffer' }));
  else cpSync(file, join(folder, name));
  return name;
}
