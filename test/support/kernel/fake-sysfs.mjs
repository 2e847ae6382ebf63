// Another machine's files in place of folders of /sys, for one child process. Needs root.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fixture } from '../process/run.mjs';

import { skip } from '../hooks.mjs';

/** Runs the fixture `name` with `folders` ({ '/sys/...': { 'a/b': text } }); what it printed, as JSON. */
export function withFolders(context, folders, name) {
  const directory = mkdtempSync(join(tmpdir(), 'memmap-sysfs-'));
  try {
    const mounts = Object.entries(folders).map(([target, files], number) => {
      const source = join(directory, String(number));
      mkdirSync(source);
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(source, path)), { recursive: true });
        writeFileSync(join(source, path), `${text}\n`);
      }
      return `mount --bind '${source}' '${target}'`;
    });
    const script = `${mounts.join(' && ')} || exit 77; exec '${process.execPath}' '${fixture(name)}'`;
    const { status, stdout, stderr, error } = spawnSync('unshare', ['--mount', 'sh', '-c', script], { encoding: 'utf8' });
    if (error !== undefined || status === 77 || /unshare/.test(stderr)) {
      skip(context, `folders cannot be mounted here: ${String(error ?? stderr).trim()}`);
    }
    if (status !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
