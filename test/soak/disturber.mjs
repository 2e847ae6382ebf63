// What happens to the process while its workers work: threads like them are terminated, the views
// that those have lent are touched after their end, another library maps, and things run out.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import { seeded } from '../support/random.mjs';
import { counter } from './figures.mjs';

/** Views of threads that have ended, kept and touched. */
const MOST_KEPT = 40;
/** Milliseconds: of a victim's work; between two orders to take all there is. */
const MOST_LIFE = 250;
const BETWEEN = [1500, 3000];

export class Disturber {
  #options;
  #next;
  #count;
  #kept = [];
  #victims = 0;
  #library;
  #orders;
  /** While a thread starts or ends. */
  busy = false;

  constructor(options) {
    this.#options = options;
    this.#next = seeded(options.seed ^ 0x5eed);
    this.#count = counter(options.settings.figures);
    if (options.stranger !== undefined) this.#startLibrary();
  }

  #startLibrary() {
    const { settings, seed, stranger, die } = this.#options;
    const { port1, port2 } = new MessageChannel();
    this.#orders = port1;
    const worker = new Worker(new URL('other.mjs', import.meta.url), {
      workerData: { ...settings, path: stranger, seed, port: port2 }, transferList: [port2],
    });
    worker.on('error', (error) => die(`the other library: ${error.stack}`));
    this.#library = once(worker, 'exit');
  }

  /** Until that time, in milliseconds. */
  async run(until) {
    const { terminates, wants } = this.#options;
    let wanted = Date.now();
    while (Date.now() < until) {
      let period;
      const victim = terminates ? await this.#victim() : undefined;
      if (wants && this.#orders !== undefined && Date.now() > wanted) {
        period = once(this.#orders, 'message');
        this.#orders.postMessage(this.#next(2) === 0 ? 'descriptors' : 'mappings');
        wanted = Date.now() + BETWEEN[0] + this.#next(BETWEEN[1] - BETWEEN[0]);
      }
      await setTimeout(this.#next(MOST_LIFE));
      if (victim !== undefined) {
        this.busy = true;
        await victim.terminate();
        this.busy = false;
        this.#count('terminations');
      }
      // Nobody can start a thread without descriptors.
      await period;
      this.#touch();
    }
  }

  /** A thread that does what the workers do, and lends to this one. */
  async #victim() {
    const { settings, seed, die } = this.#options;
    this.busy = true;
    const { port1: next, port2: lender } = new MessageChannel();
    const number = ++this.#victims;
    const worker = new Worker(new URL('worker.mjs', import.meta.url), {
      workerData: { ...settings, name: `victim-${number % 8}`, seed: seed + 1000 + number, next }, transferList: [next],
    });
    worker.on('error', (error) => die(`victim ${number}: ${error.stack}${error.cause ? `\n${error.cause.stack}` : ''}`));
    await once(worker, 'online');
    this.busy = false;
    lender.unref();
    this.#kept.push({ lender, views: [] });
    if (this.#kept.length > 8) this.#kept.shift().lender.close();
    return worker;
  }

  /** Views whose thread may have ended, whose mapping nobody else may hold. */
  #touch() {
    for (const { lender, views } of this.#kept) {
      for (let got; views.length < MOST_KEPT / 8 && (got = receiveMessageOnPort(lender)) !== undefined; ) {
        views.push(got.message);
        this.#count('kept');
      }
      for (const { bytes, readOnly } of views) {
        if (bytes.length === 0) continue;
        for (let i = 0; i < 20; i++) void bytes[this.#next(bytes.length)];
        if (!readOnly) bytes[this.#next(bytes.length)] = 1;
      }
    }
  }

  /** When all have been told to stop. */
  async end() {
    await this.#library;
    this.#orders?.close();
    for (const { lender } of this.#kept) lender.close();
  }
}
