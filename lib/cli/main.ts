#!/usr/bin/env node
// The executable.
import { argumentsOf } from './common/names.js';
import { run } from './run.js';
import { Terminal } from './common/terminal.js';

// The reader has closed the pipe, as head(1) does: exit successfully.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await run(argumentsOf(process.argv), new Terminal());
