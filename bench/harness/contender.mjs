// A process that runs one case, seen from the runner. Node programs and C programs speak
// the same protocol: a line on stdin asks for a round, a line of JSON on stdout answers,
// { ns, cpuNs, value, collections? }. Between rounds the process waits, so that rounds can interleave.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { nativeProgram } from './install.mjs';

const PROGRAM = fileURLToPath(new URL('case.mjs', import.meta.url));

/** Starts the process of a case; the promise resolves when it is ready for rounds. */
export async function start(entry, { question, node, files, quick }) {
  if (entry.command !== undefined) return new Command(entry.command(files));
  const [program, args] =
    entry.native === undefined
      ? [node, [PROGRAM, question, entry.name, JSON.stringify({ files, quick })]]
      : [nativeProgram(entry.native), entry.args({ files, quick })];
  const contender = new Contender(entry.name, program, args.map(String));
  await contender.answer();
  return contender;
}

class Contender {
  #name;
  #child;
  #ended;
  #lines;
  #error = '';

  constructor(name, program, args) {
    this.#name = name;
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => (this.#error += text));
    this.#child.stdin.on('error', () => {}); // it ended: answer() says so
    this.#ended = new Promise((resolve) => this.#child.on('close', (code, signal) => resolve(signal ?? code)));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async answer() {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    const verdict = await this.#ended;
    const [reason = `its process ended with ${verdict} ${this.#error}`] = /^\w*Error(?: \[\w+\])?: .*$/m.exec(this.#error) ?? [];
    throw new Error(`${this.#name}: ${reason}`, { cause: this.#error });
  }

  round() {
    this.#child.stdin.write('round\n');
    return this.answer();
  }

  async end() {
    this.#child.stdin.end();
    await this.#ended;
  }
}

/** A program whose whole life is the round. Its first word of output is the value. */
class Command {
  #words;

  constructor(words) {
    this.#words = words;
  }

  async round() {
    const [program, ...args] = this.#words;
    const begun = performance.now();
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
    const ns = (performance.now() - begun) * 1e6;
    if (code !== 0) throw new Error(`${program} ended with ${code}`);
    return { ns, value: output.trim().split(/\s+/)[0] };
  }

  async end() {}
}
