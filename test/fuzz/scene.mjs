// What the calls of one scene act on. Each thing is made when it is first asked for, and goes
// with the scene, so that a scene needs no other to happen again.
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as memmap from 'memmap';
import * as shm from 'memmap/shm';
import { Store } from 'memmap/store';
import * as sys from 'memmap/sys';
import { native } from './addon.mjs';

const { PAGE_SIZE } = sys;
export const LENGTH = 4 * PAGE_SIZE;
const RW = sys.PROT.READ | sys.PROT.WRITE;
const CONTENT = Buffer.alloc(LENGTH, 'line\n');
/** Places of locks in memory. */
const PLACES = { mutex: 0, rwLock: 256, semaphore: 512, event: 640, barrier: 704 };

const anonymous = (options) => () => memmap.mapAnonymous({ length: LENGTH, ...options });
const lock = (Lock, place, ...more) => (scene) => new Lock(scene.lockMemory, place, ...more);

/** name: (scene) => thing. What has close() is closed with the scene. */
const MAKERS = {
  path(scene) {
    const path = scene.removes(join(scene.folder, 'file'));
    writeFileSync(path, CONTENT);
    return path;
  },
  fd: (scene) => scene.raw(openSync(scene.path, 'r+')),
  pidfd: (scene) => scene.raw(sys.pidfd_open(process.pid)),
  memory: ({ fd }) => sys.mmap(null, LENGTH, RW, sys.MAP.SHARED, fd, 0),
  sharedMemory: ({ fd }) => sys.mmap(null, LENGTH, RW, sys.MAP.SHARED, fd, 0, { shared: true }),
  private: (scene) => anonymous({ buffer: scene.one(['array', 'shared']), sharing: scene.one(['private', 'shared']) })(),
  file: (scene) => memmap.mapFile(scene.path, {
    access: scene.one(['read', 'read-write', 'copy-on-write']), buffer: scene.one(['array', 'shared']),
  }),
  space: () => memmap.reserve(LENGTH),
  placed: ({ space, path }) => space.place(0, { file: path, length: LENGTH, access: 'read-write' }),
  shared: () => shm.SharedMemory.create({ length: LENGTH }),
  sharedMapping: ({ shared }) => shared.map(),
  lockMemory: anonymous({ sharing: 'shared' }),
  mutex: lock(shm.Mutex, PLACES.mutex),
  rwLock: lock(shm.RwLock, PLACES.rwLock),
  semaphore: lock(shm.Semaphore, PLACES.semaphore, 1),
  event: lock(shm.Event, PLACES.event),
  barrier: lock(shm.Barrier, PLACES.barrier, 1),
  channel: (scene) => shm.Channel.create({ capacity: scene.one([1, 5000]), kind: scene.one(['queue', 'broadcast']) }),
  consumer: ({ channel }) => channel.consumer(),
  producer: ({ channel }) => channel.producer(),
  socket: (scene) => `\0${scene.name}`,
  store: (scene) => Store.open(scene.removes(join(scene.folder, 'store.db'))),
  lines: ({ file }) => file.lines(),
  windows: ({ path }) => memmap.mapFile(path).windows({ size: PAGE_SIZE }),
  // Of the addon alone, without what lib/ keeps of it.
  handle: (scene) => scene.handled(native.map(0n, LENGTH, RW, scene.one([sys.MAP.PRIVATE, sys.MAP.SHARED]) | sys.MAP.ANONYMOUS, -1, 0)),
  heldFd: (scene) => scene.held(native.createSharedMemory(null, 0, false, LENGTH, new Float64Array(1))),
  nativeSocket: (scene) => scene.held(native.socketUnix()),
};

/** These take turns of the event loop. */
const LATER = {
  async connection(scene) {
    let accepted;
    scene.listener = shm.listen(scene.socket, (connection) => {
      accepted = connection;
      scene.closes(connection);
    });
    const connection = await shm.connect(scene.socket);
    while (accepted === undefined) await new Promise(setImmediate);
    return connection;
  },
  async duplex(scene) {
    scene.server = await shm.Channel.serve(`${scene.socket}-duplex`, async (channel) => {
      for await (const message of channel) channel.trySend(message);
    }, { capacity: 4096 });
    return await shm.Channel.connect(`${scene.socket}-duplex`);
  },
};
/** What comes with another. */
const WITH = { listener: 'connection', server: 'duplex' };

/** Names of all that a scene has. */
export const THINGS = [...Object.keys(MAKERS), ...Object.keys(LATER), ...Object.keys(WITH)];

export class Scene {
  #made = new Map();
  #undo = [];
  #raw = new Set();
  #held = new Set();
  #handles = [];
  /** Buffers of the engine that pages may be moved onto: whoever does so keeps them as long as the pages. */
  reserved = [];

  /** @param next of a seed @param folder empty; relative paths of hostile calls lead there, too */
  constructor(next, folder, number) {
    this.next = next;
    this.folder = folder;
    this.number = number;
    this.name = `memmap-fuzz-${process.pid}-${number}`;
  }

  one(list) {
    return list[this.next(list.length)];
  }

  made(name) {
    return this.#made.get(name);
  }

  /** Makes what takes turns of the event loop. */
  async prepare(name) {
    if (this.#made.has(name)) return;
    const other = WITH[name];
    if (other !== undefined) {
      await this.prepare(other);
      return;
    }
    const make = LATER[name];
    if (make !== undefined) this.keep(name, await make(this));
  }

  keep(name, thing) {
    this.#made.set(name, thing);
    this.closes(thing);
    return thing;
  }

  closes(thing) {
    if (typeof thing?.close === 'function') this.#undo.push(() => thing.close());
    else if (thing instanceof ArrayBuffer || thing instanceof SharedArrayBuffer) {
      // Where it was: munmap of a buffer that has been detached finds nothing.
      this.#undo.push(() => thing.byteLength > 0 && sys.munmap(thing));
    } else if (typeof thing?.destroy === 'function') {
      thing.on('error', () => {});
      this.#undo.push(() => thing.destroy());
    }
    return thing;
  }

  removes(path) {
    this.#undo.push(() => rmSync(path, { force: true }));
    return path;
  }

  /** A descriptor that closes with the scene. */
  raw(fd) {
    if (fd >= 0) this.#raw.add(fd);
    return fd;
  }
  /** One that the addon holds. */
  held(fd) {
    if (fd >= 0) this.#held.add(fd);
    return fd;
  }
  /** A handle of the addon. */
  handled(handle) {
    if (handle > 0) this.#handles.push(handle);
    return handle;
  }
  gave(fd) {
    if (this.#held.delete(fd)) this.#raw.add(fd);
  }
  closed(fd) {
    this.#held.delete(fd);
  }
  get rawFds() {
    return [...this.#raw];
  }
  get heldFds() {
    return [...this.#held];
  }
  get handles() {
    return this.#handles;
  }

  /** All that can be reached as bytes: what is open, and views that outlive it. */
  *buffers() {
    for (const thing of this.#made.values()) {
      if (thing instanceof ArrayBuffer || thing instanceof SharedArrayBuffer) yield thing;
      else if (thing instanceof memmap.Mapping) {
        try {
          yield thing.buffer;
        } catch (error) {
          if (typeof error.code !== 'string') throw error;
        }
      }
    }
  }

  /**
   * Nothing of the scene is left, but what the collector takes. Again: what came since, or was
   * busy.
   */
  close() {
    const busy = [];
    for (let undo; (undo = this.#undo.pop()) !== undefined; ) {
      try {
        undo();
      } catch (error) {
        if (typeof error.code !== 'string') throw error;
        if (error.code === 'ERR_MEMMAP_BUSY') busy.push(undo);
      }
    }
    this.#undo = busy;
    native.shmUnlink(`/${this.name}`);
    for (const handle of this.#handles.splice(0)) native.close(handle);
    for (const fd of this.#held) native.closeFd(fd);
    for (const fd of this.#raw) closeSync(fd);
    this.#held.clear();
    this.#raw.clear();
    this.#made.clear();
  }
}

for (const name of THINGS) {
  Object.defineProperty(Scene.prototype, name, {
    get() {
      const thing = this.made(name);
      if (thing !== undefined) return thing;
      return MAKERS[name] === undefined ? undefined : this.keep(name, MAKERS[name](this));
    },
    set(thing) {
      this.keep(name, thing);
    },
  });
}
