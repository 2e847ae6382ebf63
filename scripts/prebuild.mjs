// Builds the addon for this CPU and libc into prebuilds/, as the package ships it.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const args = ['--no-install', 'prebuildify', '--napi', '--strip', '--tag-libc', '-t', process.versions.node];
const { status } = spawnSync('npx', args, { stdio: 'inherit' });
if (status !== 0) process.exit(1);

const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
const file = `prebuilds/linux-${process.arch}/memmap.${libc}.node`;
if (!existsSync(file)) throw new Error(`${file} is missing`);
console.log(file);
