// A small C program: what the system's own headers say.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Compiles `source`, runs it, and returns what it printed. */
export function runC(source) {
  const directory = mkdtempSync(join(tmpdir(), 'memmap-c-'));
  try {
    const program = join(directory, 'program');
    execFileSync('cc', ['-x', 'c', '-std=gnu11', '-o', program, '-'], { input: source });
    return execFileSync(program, { encoding: 'utf8' });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
