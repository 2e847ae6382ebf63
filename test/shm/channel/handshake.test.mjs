// What Channel.serve() and Channel.connect() make of a peer that does not keep to docs/abi.md:
// lib/shm/channel/{handshake,server}.ts.
import assert from 'node:assert/strict';
import { openSync, readFileSync, writeSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { Channel, SharedMemory, connect, listen, receiveFds, sendFds } from 'memmap/shm';
import { closeAll, countDescriptors } from '../../support/descriptors.mjs';
import { endKept, keep } from '../../support/shm/keep.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

/** Bytes of the header of a channel: docs/abi.md. */
const HEADER = 65_536;

/** A message of the handshake. */
function saying(step, { magic = 'memmapdx', version = 1 } = {}) {
  const bytes = Buffer.alloc(16);
  bytes.write(magic, 'latin1');
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(step, 12);
  return bytes;
}

/** A descriptor of sealed memory in which there is a channel, or what `spoil` makes of it. */
function memory({ kind = 'spsc', spoil = () => {}, seals = ['grow', 'shrink'], length = HEADER + 65_536 } = {}) {
  const channel = Channel.create({ capacity: 1, kind });
  const header = readFileSync(`/proc/self/fd/${channel.fd}`).subarray(0, Math.min(HEADER, length));
  channel.close();
  const shared = SharedMemory.create({ length });
  spoil(header);
  const fd = openSync(`/proc/self/fd/${shared.fd}`, 'r+');
  writeSync(fd, header, 0, header.length, 0);
  shared.seal(...seals);
  shared.close();
  return fd;
}

describe('A peer that makes no channel', () => {
  afterEach(endKept);
  const file = temporaryFiles();
  let count = 0;
  const nextPath = () => file(`handshake-${(count += 1)}`);

  // What a process opens once, for its first socket and its first mapping, is there before anything is counted.
  before(async () => {
    const path = nextPath();
    const server = await Channel.serve(path, (channel) => channel.close(), { capacity: 1, onError: () => {} });
    const raw = connectSocket(path, () => raw.destroy());
    const channel = await Channel.connect(path);
    await channel.gone;
    channel.close();
    server.close();
  });

  describe('as a client', () => {
    const CASES = {
      'that speaks something else': (socket) => socket.write('GET / HTTP/1.1\r\n\r\n'),
      'that hangs up': (socket) => socket.end(),
      'that says too much': (socket) => socket.write(Buffer.alloc(100_000, saying(1))),
      'that announces more than it may say': (socket) => socket.write(Buffer.concat([Buffer.from('memmap\0\x01'), Buffer.from([0, 0, 0, 0, 0, 0, 0, 1])])),
      'of another version': (_, connection) => sendFds(connection, [], saying(1, { version: 2 })),
      'with another magic': (_, connection) => sendFds(connection, [], saying(1, { magic: 'memmapxx' })),
      'that begins with the last step': (_, connection) => sendFds(connection, [], saying(3)),
      'that says half of it': (_, connection) => sendFds(connection, [], saying(1).subarray(0, 8)),
      'that sends descriptors': (_, connection) => sendFds(connection, [0, 1, 2], saying(1)),
      'that sends a descriptor, bare': (_, connection) => sendFds(connection, [0], 'x'),
      'that takes the channels and says nothing else': async (_, connection) => {
        await sendFds(connection, [], saying(1));
        const { fds, payload } = await receiveFds(connection);
        assert.deepEqual(payload, saying(2));
        closeAll(fds);
        await sendFds(connection, [], 'something else');
      },
    };

    for (const [who, act] of Object.entries(CASES)) {
      it(`${who} is an error at the server, which serves the next one`, async () => {
        const path = nextPath();
        const errors = [];
        let served = 0;
        const handler = (channel) => {
          served += 1;
          channel.close();
        };
        const server = keep(await Channel.serve(path, handler, { capacity: 1, onError: (error) => errors.push(error) }));
        const before = countDescriptors();
        const raw = act.length === 1 ? connectSocket(path) : undefined;
        const connection = raw === undefined ? await connect(path) : undefined;
        raw?.on('error', () => {});
        await act(raw, connection);
        await until(() => errors.length > 0, 'the server has seen it');
        assert.match(errors[0].code, /^ERR_MEMMAP_(BAD_MESSAGE|PEER_CLOSED)$/);
        assert.equal(errors[0].name, 'PeerError');
        raw?.destroy();
        connection?.close();
        const good = await Channel.connect(path);
        await good.gone;
        good.close();
        assert.deepEqual([served, server.refused, server.clients], [1, 1, 0]);
        await until(() => countDescriptors() <= before, 'nothing of it is left');
      });
    }

    it('that is silent holds nobody else up', async () => {
      const path = nextPath();
      const errors = [];
      keep(await Channel.serve(path, (channel) => channel.close(), { timeout: 600_000, onError: (error) => errors.push(error.code) }));
      const silent = [keep(await connect(path)), keep(await connect(path))];
      await sendFds(silent[1], [], saying(1));
      const good = await Channel.connect(path);
      await good.gone;
      good.close();
      assert.deepEqual(errors, [], 'others were served meanwhile');
    });

    it('that is silent has its time', async () => {
      const path = nextPath();
      const errors = [];
      const server = keep(await Channel.serve(path, (channel) => channel.close(), { timeout: 300, onError: (error) => errors.push(error.code) }));
      const before = countDescriptors();
      const silent = await Promise.all([connect(path), connect(path)]);
      // On a slow machine its time may be over by now.
      await sendFds(silent[1], [], saying(1)).catch((error) => assert.equal(error.code, 'EPIPE'));
      await until(() => errors.length === 2, 'their time is over');
      assert.deepEqual(errors, ['ERR_MEMMAP_TIMEOUT', 'ERR_MEMMAP_TIMEOUT']);
      for (const one of silent) one.close();
      assert.deepEqual([server.clients, server.refused], [0, 2]);
      await until(() => countDescriptors() <= before, 'nothing of them is left');
    });
  });

  describe('as a server', () => {
    const offered = (make) => async (connection) => {
      const fds = make();
      await sendFds(connection, fds, saying(2));
      closeAll(fds);
    };
    const CASES = {
      'that hangs up': [(connection) => connection.close(), 'PEER_CLOSED'],
      'that says something else': [(connection) => sendFds(connection, [], 'something else'), 'BAD_MESSAGE'],
      'that offers nothing': [offered(() => []), 'BAD_MESSAGE'],
      'that offers one channel': [offered(() => [memory()]), 'BAD_MESSAGE'],
      'that offers three': [offered(() => [memory(), memory(), memory()]), 'BAD_MESSAGE'],
      'that offers devices': [offered(() => [openSync('/dev/null'), openSync('/dev/zero')]), 'NOT_MEMORY'],
      'that offers memory that can shrink': [offered(() => [memory(), memory({ seals: ['grow'] })]), 'NOT_SEALED'],
      'that offers too little memory': [offered(() => [memory(), memory({ length: 4096 })]), 'TOO_SHORT'],
      'that offers memory without a channel': [offered(() => [memory({ spoil: (bytes) => bytes.fill(0) }), memory()]), 'CORRUPT'],
      'that offers memory full of ones': [offered(() => [memory({ spoil: (bytes) => bytes.fill(255) }), memory()]), 'CORRUPT'],
      'that offers channels of another kind': [offered(() => [memory({ kind: 'mpmc' }), memory({ kind: 'mpmc' })]), 'BAD_MESSAGE'],
    };

    for (const [who, [act, code]] of Object.entries(CASES)) {
      it(`${who} is ERR_MEMMAP_${code} at the client`, async () => {
        const path = nextPath();
        const connections = [];
        const listener = keep(listen(path, async (connection) => {
          connections.push(connection);
          const { payload } = await receiveFds(connection);
          assert.deepEqual(payload, saying(1));
          await act(connection);
        }));
        const before = countDescriptors();
        await assert.rejects(Channel.connect(path), { code: `ERR_MEMMAP_${code}`, name: 'PeerError' });
        for (const one of connections) one.close();
        await until(() => countDescriptors() <= before, 'nothing of it is left');
        assert.equal(listener.refused, 0);
      });
    }

    it('that offers one memory twice makes the client talk to itself', async () => {
      const path = nextPath();
      const offer = offered(() => {
        const fd = memory();
        return [fd, openSync(`/proc/self/fd/${fd}`, 'r+')];
      });
      keep(listen(path, (connection) => offer(keep(connection))));
      // Its producer and its consumer are ours: what is sent comes back.
      const channel = keep(await Channel.connect(path));
      assert.equal(channel.trySend(Buffer.from('x')), true);
      assert.equal(String(channel.tryReceive()), 'x');
    });

    it('that is silent is waited for as long as the caller says', async () => {
      const path = nextPath();
      keep(listen(path, (connection) => keep(connection)));
      await assert.rejects(Channel.connect(path, { timeout: 20 }), { code: 'ERR_MEMMAP_TIMEOUT', name: 'StateError' });
      const reason = new Error('enough');
      const controller = new AbortController();
      const waits = Channel.connect(path, { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(waits, (error) => error === reason);
    });
  });

  it('speaks over the socket afterwards: that ends the channel', async () => {
    const path = nextPath();
    let told;
    const handed = new Promise((resolve) => (told = resolve));
    keep(await Channel.serve(path, told, { capacity: 1 }));
    const connection = keep(await connect(path));
    await sendFds(connection, [], saying(1));
    const { fds } = await receiveFds(connection);
    const [out, back] = fds.map((fd) => keep(Channel.fromFd(fd)));
    closeAll(fds);
    const ends = [keep(out.consumer()), keep(back.producer())];
    await sendFds(connection, [], saying(3));
    const channel = keep(await handed);
    assert.equal(ends[1].trySend(Buffer.from('by hand')), true);
    assert.equal(String(await channel.receive()), 'by hand');
    await sendFds(connection, [], 'more');
    await channel.gone;
    await assert.rejects(channel.receive(), { code: 'ERR_MEMMAP_PEER_DIED' });
  });
});
