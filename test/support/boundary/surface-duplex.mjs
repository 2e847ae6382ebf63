// What surface.mjs is, for Channel.serve(), Channel.connect() and what they make.
import * as shm from 'memmap/shm';
import { LISTS_OF_TIMES, MESSAGES } from './surface-channels.mjs';
import { PATHS } from './surface-shm.mjs';
import * as zoo from './zoo.mjs';

const { boolean, callback, integer, options } = zoo;

const name = `\0memmap-surface-duplex-${process.pid}`;
const server = await shm.Channel.serve(name, (channel) => channel.close());
// Its other end is closed: it keeps no process alive.
const channel = await shm.Channel.connect(name);
await channel.gone;
server.close();

const { timeouts, signals } = LISTS_OF_TIMES;
const async = options({ timeout: timeouts, signal: signals }, {});
const message = Buffer.from('message');

const STATICS = {
  serve: [({ socket }) => [`${socket}-4`, () => {}, {}], [
    PATHS, [[undefined, zoo.TYPE], ...callback],
    options({
      allow: callback, capacity: integer(1, 2 ** 30), limit: integer(1), mode: integer(0, 0o777), onError: callback,
      signal: signals, spin: timeouts, timeout: timeouts,
    }, {}),
  ]],
  // To one who does not answer.
  connect: [({ socket }) => [socket, { timeout: 0 }], [PATHS, options({ allow: callback, signal: signals, spin: timeouts, timeout: timeouts }, {})]],
};

const METHODS = {
  send: [() => [message, {}], [MESSAGES(channel.producer.limit), async]],
  trySend: [() => [message], [MESSAGES(channel.producer.limit)]],
  receive: [() => [{}], [async]],
  tryReceive: [() => [], []],
  end: [() => [], []],
  stream: [() => [{}], [options({ objectMode: boolean, highWaterMark: integer(), signal: signals }, {})]],
};

const on = (table, owner, target) =>
  Object.entries(table).map(([method, [right, wrong]]) => ({
    name: `${owner}.${method}`, right, wrong, call: (_, args) => target[method](...args),
  }));

export const DUPLEX = [...on(STATICS, 'Channel.', shm.Channel), ...on(METHODS, 'DuplexChannel', channel)];
/** What their right arguments come to here. */
export const DUPLEX_REFUSED = {
  'Channel..connect': 'ERR_MEMMAP_TIMEOUT', 'DuplexChannel.send': 'ERR_MEMMAP_PEER_CLOSED', 'DuplexChannel.trySend': 'ERR_MEMMAP_PEER_CLOSED',
};
