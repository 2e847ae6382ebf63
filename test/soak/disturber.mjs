// What happens to the process while its workers work: threads like them are terminated, the views
// that those have lent are touched after their end, another library maps, and things run out.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import { seeded } from '../support/random.mjs';
import { counter } from './figures.mjs';

/** Threads whose views are kept and touched after their end, and how many of each. */
const KEPT_THREADS = 8;
const KEPT_VIEWS = 5;
/** Milliseconds: of a victim's work; between two orders to take all there is. */
const MOST_LIFE = 400;
const LEAST_BETWEEN = 500;

export class Disturber {
  #options;
  #next;
  #count;
  #kept = [];
  #victims = 0;
  #library;
  #orders;
  #starting = false;
  /** The end of the period in which something runs out. */
  #period;

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
    await Promise.all([
      terminates ? this.#terminate(until) : undefined,
      wants && this.#orders !== undefined ? this.#want(until) : undefined,
    ]);
  }

  async #terminate(until) {
    while (Date.now() < until) {
      const { worker, ready } = await this.#victim();
      // Some while they load, most at work.
      await setTimeout(this.#next(4) === 0 ? this.#next(MOST_LIFE) : 0);
      if (this.#next(4) > 0) {
        await ready;
        await setTimeout(this.#next(MOST_LIFE));
      }
      await worker.terminate();
      this.#count('terminations');
      this.#touch();
    }
  }

  async #want(until) {
    let periods = 0;
    while (Date.now() < until) {
      await setTimeout(LEAST_BETWEEN + this.#next(2 * LEAST_BETWEEN));
      // Nobody can start a thread without descriptors; to end one takes none.
      while (this.#starting) await setTimeout(5);
      this.#period = once(this.#orders, 'message');
      this.#orders.postMessage(periods++ % 2 === 0 ? 'descriptors' : 'mappings');
      await this.#period;
      this.#period = undefined;
    }
  }

  /** A thread that does what the workers do, and lends to this one. */
  async #victim() {
    const { settings, seed, die } = this.#options;
    for (; this.#period !== undefined; await this.#period);
    this.#starting = true;
    const { port1: next, port2: lender } = new MessageChannel();
    const number = ++this.#victims;
    const worker = new Worker(new URL('worker.mjs', import.meta.url), {
      workerData: { ...settings, name: `victim-${number % 8}`, seed: seed + 1000 + number, next }, transferList: [next],
    });
    worker.on('error', (error) => die(`victim ${number}: ${error.stack}${error.cause ? `\n${error.cause.stack}` : ''}`));
    const ready = new Promise((resolve) => {
      const started = () => {
        this.#starting = false;
        resolve();
      };
      worker.once('message', started).once('exit', started);
    });
    await once(worker, 'online');
    lender.unref();
    this.#kept.push({ lender, views: [] });
    if (this.#kept.length > KEPT_THREADS) this.#kept.shift().lender.close();
    return { worker, ready };
  }

  /** Views whose thread may have ended, whose mapping nobody else may hold. */
  #touch() {
    for (const { lender, views } of this.#kept) {
      for (let got; views.length < KEPT_VIEWS && (got = receiveMessageOnPort(lender)) !== undefined; ) {
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
