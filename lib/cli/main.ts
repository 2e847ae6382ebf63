#!/usr/bin/env node
// The executable.
import { run } from './run.js';
import { Terminal } from './common/terminal.js';

// The reader has gone: `| head`. What it has is all it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await run(process.argv.slice(2), new Terminal());
