// Programs that a machine may lack. What a test misses is told at the end of the run; scripts/ci.mjs
// runs it again where all of them are.
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { misses, skip } from '../hooks.mjs';

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const paths = new Map();

/** The path of a program; undefined where it is missing. */
function toolPath(name) {
  if (!paths.has(name)) paths.set(name, (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name)).find(isProgram));
  return paths.get(name);
}

/** Whether a program is there. The running test does without it if not. */
export function hasTool(name) {
  if (toolPath(name) === undefined) misses(name);
  return toolPath(name) !== undefined;
}

/** Skips the test, or the tests of a before(), where one of the programs is missing; else the path of the first. */
export function needsTools(context, ...names) {
  for (const name of names) {
    if (toolPath(name) !== undefined) continue;
    misses(name, context);
    skip(context, `no ${name} here`);
  }
  return toolPath(names[0]);
}
