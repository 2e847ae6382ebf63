// Runs the tests on the kernels of emulated machines:
//   main.mjs [KERNEL ...] [--dir CACHE] [--jobs N] [--seconds N] [--quick] [--strict] [-- MOCHA ARGS]
// Kernels that do not gate are reported; with --strict they fail the run, too.
import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { boot } from './machine/boot.mjs';
import { crossBuild } from './machine/cross.mjs';
import { buildBusybox, buildDimms, buildProject, buildRoot, hostAddon } from './machine/images.mjs';
import { buildKernel } from './machine/kernel.mjs';
import { GATING, KERNELS } from './machine/kernels.mjs';
import { installPrograms } from './machine/packages.mjs';
import { testScript } from './suite.mjs';

const project = fileURLToPath(new URL('../..', import.meta.url));
process.chdir(project);

const args = process.argv.slice(2);
const separator = args.indexOf('--');
const [own, mochaArgs] = separator === -1 ? [args, []] : [args.slice(0, separator), args.slice(separator + 1)];
const { values, positionals } = parseArgs({
  args: own,
  allowPositionals: true,
  options: {
    dir: { type: 'string', default: '.cache/vm' },
    jobs: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    strict: { type: 'boolean', default: false },
  },
});
const names = positionals.length > 0 ? positionals : GATING;
for (const name of names) {
  if (!(name in KERNELS)) throw new Error(`no kernel ${name}: ${Object.keys(KERNELS).join(', ')} are`);
}
const cache = resolve(values.dir);
const script = testScript(project, mochaArgs, values.quick);

const start = Date.now();
const seconds = () => Math.round((Date.now() - start) / 1000);

/** Everything a machine of the architecture has, whatever its kernel. */
async function buildParts(architecture) {
  const busybox = await buildBusybox(cache, architecture);
  // This run's alone: another one may be under way in the same cache.
  const image = join(cache, `project-${architecture}-${process.pid}.ext4`);
  process.on('exit', () => rmSync(image, { force: true }));
  const addon = architecture === 'arm64' ? await crossBuild(cache, project) : hostAddon(project);
  buildProject(image, project, { addon, script });
  return { busybox, root: await buildRoot(cache, project, architecture, busybox), project: image, dimms: await buildDimms(cache) };
}

const architectures = [...new Set(names.map((name) => KERNELS[name].architecture))];
mkdirSync(cache, { recursive: true });
installPrograms(architectures);
const parts = {};
for (const architecture of architectures) parts[architecture] = await buildParts(architecture);

/** Builds, boots and tells: whether the kernel passed. */
async function test(name, print) {
  const { architecture, seconds: limit } = KERNELS[name];
  let failure;
  try {
    const { busybox, ...images } = parts[architecture];
    const kernel = await buildKernel(cache, name, busybox);
    print(`\n[${name}: booting after ${seconds()} s]\n`);
    failure = await boot(cache, name, { architecture, seconds: Number(values.seconds ?? limit), kernel, ...images }, print);
  } catch (error) {
    failure = String(error.stack).split('\n');
  }
  // scripts/ci.mjs shows the lines with this word again.
  for (const line of failure ?? []) print(`FAIL ${name}: ${line}\n`);
  print(`[${name}: ${failure === undefined ? 'ok' : 'failed'} after ${seconds()} s]\n`);
  return failure === undefined;
}

const results = new Map();
const queue = [...names];
const jobs = Number(values.jobs);
await Promise.all(Array.from({ length: jobs }, async () => {
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    // What runs at the same time is printed one after the other.
    let text = '';
    const print = jobs === 1 ? (more) => process.stdout.write(more) : (more) => (text += more);
    results.set(name, await test(name, print));
    process.stdout.write(text);
  }
}));

for (const [name, passed] of results) {
  const fails = !passed && (KERNELS[name].gating || values.strict);
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name}${passed || fails ? '' : ' (reported only)'}`);
  if (fails) process.exitCode = 1;
}
