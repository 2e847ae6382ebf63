#!/usr/bin/env node
// node bench/http.mjs [--quick] [--rounds 5] [--seconds 5]
//
// serve() of memmap/http against fs.createReadStream() and @fastify/static, under wrk(1): requests a second, MiB a second,
// growth of RssAnon while it serves, and processor time of the server for a request. Each server is a process of its own;
// rounds go around all of them. The ratios are the medians of those of each round.
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import Table from 'cli-table3';
import { installRivals } from './harness/install.mjs';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '5' } },
});
const rounds = values.quick ? 1 : Number(values.rounds);
const seconds = values.quick ? 1 : Number(values.seconds);
const PROGRAM = new URL('harness/http-server.mjs', import.meta.url);
const SERVERS = ['serve', 'createReadStream', 'fastify'];
/** Bytes, and connections. */
const FILES = { '4 KiB': [2 ** 12, 16], '1 MiB': [2 ** 20, 16], '256 MiB': [2 ** 28, 4] };
/** Against createReadStream: of the rate, and of the growth of memory. */
const BARS = { http: { '4 KiB': '>= 2', '1 MiB': '>= 2', '256 MiB': '>= 1.5', memory: '<= 0.5' }, https: { '4 KiB': '>= 1', '1 MiB': '>= 1', '256 MiB': '>= 1', memory: '<= 1' } };

installRivals(true);
const cache = fileURLToPath(new URL('../.cache/bench', import.meta.url));
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'http-'));
const nameOf = (size) => `${size.replace(' ', '')}.bin`;

const wrk = (...args) => promisify(execFile)('wrk', args);

const UNITS = { KB: 1 / 1024, MB: 1, GB: 1024 };

/** Requests and MiB a second, MiB of growth, and milliseconds of processor time for a MiB. */
async function measure(server, protocol, size) {
  const [, connections] = FILES[size];
  const child = fork(PROGRAM, [server, protocol, folder]);
  const ask = async () => {
    child.send('state');
    const [state] = await once(child, 'message');
    return state;
  };
  try {
    const ended = once(child, 'exit').then(() => Promise.reject(new Error(`the server ${server} has ended`)));
    const [port] = await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {});
    const url = `${protocol}://localhost:${port}/${nameOf(size)}`;
    // What is loaded for the first request is not growth.
    await wrk('-t1', '-c1', '-d1s', `${protocol}://localhost:${port}/${nameOf('4 KiB')}`);
    const idle = await ask();
    const { stdout } = await wrk('-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', url);
    const busy = await ask();
    if (/Non-2xx/.test(stdout)) throw new Error(stdout);
    const [, number, unit] = /Transfer\/sec:\s+([\d.]+)(\w+)/.exec(stdout);
    const rate = Number(number) * UNITS[unit];
    return { rate, memory: busy.memory - idle.memory, time: ((busy.seconds - idle.seconds) * 1000) / (rate * seconds) };
  } finally {
    child.kill();
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

try {
  for (const [size, [length]] of Object.entries(FILES)) writeFileSync(join(folder, nameOf(size)), Buffer.alloc(length, 'memmap'));
  const head = ['', 'server', 'MiB a second', 'ratio', 'bar', 'MiB of growth', 'ratio', 'bar', 'CPU, ms a MiB', 'ratio'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const protocol of ['http', 'https']) {
    for (const size of Object.keys(FILES)) {
      const results = Object.fromEntries(SERVERS.map((server) => [server, []]));
      for (let round = 0; round < rounds; round++) {
        for (const server of SERVERS.toSorted(() => Math.random() - 0.5)) results[server].push(await measure(server, protocol, size));
      }
      for (const server of SERVERS) {
        const of = (what) => median(results[server].map((result) => result[what])).toFixed(2);
        // How many times what serve() reached.
        const ratio = (what) => (server === 'serve' ? '' : median(results.serve.map((result, i) => result[what] / results[server][i][what])).toFixed(2));
        const bar = (what) => (server === 'createReadStream' ? BARS[protocol][what] : '');
        table.push([`${protocol}, ${size}`, server, of('rate'), ratio('rate'), bar(size), of('memory'), ratio('memory'), bar('memory'), of('time'), ratio('time')]);
      }
    }
  }
  console.log(`Node ${process.versions.node}\n${table.toString()}`);
} finally {
  rmSync(folder, { recursive: true });
}
