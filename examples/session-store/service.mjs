// The supervisor: one writer, some workers, and what dies is started again. Requests to write go
// from the worker to here, to the writer, and back the same way.
import { fork } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Whether one is up, and has not been killed: of that one hears a little later. */
const serves = ({ up, killed }) => up === true && killed !== true;
const program = (name) => fileURLToPath(new URL(name, import.meta.url));

export class Service {
  #path;
  #writer;
  #workers = new Set();
  /** Requests that the writer has and has not answered: of which worker, and the number they have there. */
  #asked = new Map();
  #count = 0;
  #stopping = false;
  /** How often one of them ended by itself. */
  crashes = 0;
  /** Of workers and writers that are up: whom to tell. */
  #changed = () => {};

  /** Resolves once all are up. */
  static async start(path, { workers }) {
    const service = new Service(path);
    await service.ready(); // the store has to be there before workers open it
    for (let i = 0; i < workers; i++) service.#workers.add(cluster.fork());
    await service.ready();
    return service;
  }

  constructor(path) {
    this.#path = path;
    // Workers accept connections themselves: one on its way from here to a worker would hang if that died.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: program('worker.mjs'), args: [path], serialization: 'advanced' });
    cluster.on('message', (worker, request) => this.#ask(worker, request));
    cluster.on('listening', (worker, { port }) => {
      this.port = port;
      worker.up = true;
      this.#changed();
    });
    cluster.on('exit', (worker, _code, signal) => {
      this.#workers.delete(worker);
      if (this.#stopping) return;
      if (signal !== 'SIGKILL') this.crashes += 1;
      this.#workers.add(cluster.fork());
    });
    this.#startWriter();
  }

  #startWriter() {
    const writer = fork(program('writer.mjs'), [this.#path], { serialization: 'advanced' });
    this.#writer = writer;
    writer.on('message', (answer) => {
      if (answer.ready === true) {
        writer.up = true;
        this.#changed();
      } else {
        this.#answer(answer);
      }
    });
    writer.on('error', () => {}); // it died while it was sent something: 'exit' follows
    writer.on('exit', (_code, signal) => {
      for (const id of this.#asked.keys()) this.#answer({ id, error: 'the writer died' });
      if (this.#stopping) return;
      if (signal !== 'SIGKILL') this.crashes += 1;
      this.#startWriter();
    });
  }

  #ask(worker, request) {
    // Its client has been told that the connection broke, and may have asked another worker since.
    if (worker.killed) return;
    const id = ++this.#count;
    this.#asked.set(id, { worker, id: request.id });
    if (serves(this.#writer)) this.#writer.send({ ...request, id });
    else this.#answer({ id, error: 'the writer is being started' });
  }

  #answer({ id, error }) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked?.worker.isConnected() === true) asked.worker.send({ id: asked.id, error }, () => {});
  }

  /** Resolves once all that were started are up. */
  async ready() {
    while (![this.#writer, ...this.#workers].every((one) => serves(one))) {
      await new Promise((resolve) => (this.#changed = resolve));
    }
  }

  /**
   * Kills one that is up, with no chance to tidy up; not the last worker: the port goes with it.
   *
   * @returns which; undefined: none can be spared
   */
  killOne() {
    const workers = [...this.#workers].filter((worker) => serves(worker));
    if (serves(this.#writer) && Math.random() < 0.5) {
      this.#writer.kill('SIGKILL');
      return 'writer';
    }
    if (workers.length < 2) return undefined;
    const worker = workers[Math.floor(Math.random() * workers.length)];
    worker.killed = true;
    worker.process.kill('SIGKILL');
    return 'worker';
  }

  async stop() {
    this.#stopping = true;
    const ends = [...this.#workers].map((worker) => once(worker, 'exit'));
    for (const worker of this.#workers) worker.process.kill();
    await Promise.all(ends);
    this.#writer.disconnect();
    await once(this.#writer, 'exit');
  }
}
