// Descriptors over a Unix socket: lib/shm/socket/{send-fds,connection,frame,epoll}.ts,
// src-native/core/wait/readiness.cc, src-native/napi/wait/{socket,readiness}.cc.
import assert from 'node:assert/strict';
import { fstatSync, openSync, readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { PeerError, SharedMemory, connect, listen, receiveFds, sendFds } from 'memmap/shm';
import * as sys from 'memmap/sys';
import { closeAll, closedAfterEach, closesOnExec, countDescriptors } from '../../support/descriptors.mjs';
import { python } from '../../support/process/program.mjs';
import { runs } from '../../support/process/run.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const LIMIT = 253; // SCM_MAX_FD

describe('Descriptors over a Unix socket', () => {
  const keep = closedAfterEach();
  const file = temporaryFiles();
  let count = 0;
  const nextPath = () => file(`socket-${(count += 1)}`);

  /** Both ends of a connection, in this process. */
  async function pair() {
    const path = nextPath();
    let accepted;
    const server = keep(listen(path, (connection) => (accepted = keep(connection))));
    const client = keep(await connect(path));
    await until(() => accepted !== undefined, 'the connection is accepted');
    server.close();
    return [client, accepted];
  }

  /** Our end of a connection whose other end is a Python program. */
  async function withPython(script, use) {
    const path = nextPath();
    const peer = python(`
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print('listening', flush=True)
s, _ = server.accept()
${script}`, [path]);
    try {
      await until(() => peer.output() !== '', 'Python listens');
      const connection = keep(await connect(path));
      await use(connection, peer);
      connection.close();
      peer.child.stdin.end();
      const { code, stderr } = await peer.ended;
      assert.equal(code, 0, stderr);
    } finally {
      peer.child.kill();
    }
  }

  const inode = (fd) => fstatSync(fd).ino;

  describe('a message', () => {
    it('brings other descriptors of the same files, in order, close-on-exec, with its bytes', async () => {
      const [a, b] = await pair();
      const [one, two] = [keep(SharedMemory.create({ length: 1 })), openSync('/dev/null')];
      await sendFds(a, [one, two, one.fd], 'text äöü');
      const { fds, payload } = await receiveFds(b);
      assert.deepEqual(fds.map(inode), [inode(one.fd), inode(two), inode(one.fd)]);
      assert.ok(fds.every((fd) => fd !== one.fd && fd !== two && closesOnExec(fd, readFileSync)));
      assert.equal(payload.toString(), 'text äöü');
      closeAll([...fds, two]);
    });

    for (const many of [0, 1, 2, LIMIT - 1, LIMIT, LIMIT + 1, 300, 2 * LIMIT, 2 * LIMIT + 1]) {
      it(`of ${many} descriptors arrives as one list, and leaves no descriptor behind`, async () => {
        const [a, b] = await pair();
        const files = Array.from({ length: 3 }, () => keep(SharedMemory.create({ length: 1 })));
        const sent = Array.from({ length: many }, (_, i) => files[i % 3]);
        const before = countDescriptors();
        await sendFds(a, sent);
        assert.equal(countDescriptors(), before);
        const { fds, payload } = await receiveFds(b);
        assert.equal(countDescriptors(), before + many);
        assert.deepEqual(fds.map(inode), sent.map(({ fd }) => inode(fd)));
        assert.equal(payload.length, 0);
        closeAll(fds);
      });
    }

    for (const length of [0, 1, 4096, 4097, 2 ** 16, 2 ** 20 + 1]) {
      it(`of ${length} bytes arrives as it is, with descriptors and without`, async () => {
        const [a, b] = await pair();
        const memory = keep(SharedMemory.create({ length: 1 }));
        const bytes = Buffer.from(Array.from({ length }, (_, i) => i % 251));
        for (const sent of [[], [memory], Array(300).fill(memory)]) {
          const [{ fds, payload }] = await Promise.all([receiveFds(b), sendFds(a, sent, bytes)]);
          assert.equal(fds.length, sent.length);
          assert.ok(payload.equals(bytes));
          closeAll(fds);
        }
      });
    }

    it('may be anything: nothing in it is taken for what goes around it', async () => {
      const [a, b] = await pair();
      const memory = keep(SharedMemory.create({ length: 1 }));
      const payloads = ['\0', '\0\0', 'm', 'memmap', 'memmap\0\x01', `memmap\0\x01${'\xff'.repeat(30)}`, 'memmaq'];
      for (const text of payloads) void sendFds(a, [memory], Buffer.from(text, 'latin1'));
      for (const text of payloads) {
        const { fds, payload } = await receiveFds(b);
        assert.equal(payload.toString('latin1'), text);
        assert.equal(fds.length, 1);
        closeAll(fds);
      }
    });

    it('arrives in the order of the calls, whoever waits for what', async () => {
      const [a, b] = await pair();
      const received = Array.from({ length: 20 }, () => receiveFds(b));
      const memory = keep(SharedMemory.create({ length: 1 }));
      const sent = Array.from({ length: 20 }, (_, i) => sendFds(a, i % 3 === 0 ? Array(260).fill(memory) : [memory], `${i}`));
      await Promise.all(sent);
      const messages = await Promise.all(received);
      assert.deepEqual(messages.map(({ payload }) => Number(payload)), Array.from({ length: 20 }, (_, i) => i));
      for (const { fds } of messages) closeAll(fds);
    });

    it('goes both ways at once, more than a socket holds', async () => {
      const [a, b] = await pair();
      const big = Buffer.alloc(2 ** 22, 'x');
      const [, , one, two] = await Promise.all([sendFds(a, [], big), sendFds(b, [], big), receiveFds(a), receiveFds(b)]);
      assert.ok(one.payload.equals(big) && two.payload.equals(big));
    });

    it('comes out of an iteration until the peer closes', async () => {
      const [a, b] = await pair();
      for (const text of ['one', 'two']) await sendFds(a, [], text);
      a.close();
      const texts = [];
      for await (const { payload } of b) texts.push(payload.toString());
      assert.deepEqual(texts, ['one', 'two']);
      assert.equal(await receiveFds(b), undefined);
    });
  });

  describe('waiting', () => {
    it('does not hold up the event loop, and keeps the process alive only while it lasts', async () => {
      const [a, b] = await pair();
      const waits = receiveFds(b);
      for (let i = 0; i < 10; i += 1) await turn();
      await sendFds(a, [], 'now');
      assert.equal((await waits).payload.toString(), 'now');
      await runs('idle-connection');
    });

    it('ends with the signal, and nothing is lost: the next call gets the message', async () => {
      const [a, b] = await pair();
      const reason = new Error('enough');
      const controller = new AbortController();
      const waits = [receiveFds(b, { signal: controller.signal }), receiveFds(b, { signal: controller.signal })];
      await turn();
      controller.abort(reason);
      for (const wait of waits) await assert.rejects(wait, (error) => error === reason);
      // Behind somebody who goes on to wait.
      const patient = receiveFds(b);
      const behind = new AbortController();
      const impatient = receiveFds(b, { signal: behind.signal });
      behind.abort(reason);
      await assert.rejects(impatient, (error) => error === reason);
      await assert.rejects(receiveFds(b, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      await assert.rejects(sendFds(a, [], 'x', { signal: AbortSignal.abort(reason) }), (error) => error === reason);
      await sendFds(a, [], 'first');
      await sendFds(a, [], 'second');
      assert.equal((await patient).payload.toString(), 'first');
      assert.equal((await receiveFds(b)).payload.toString(), 'second');
    });

    it('for a peer that does not read ends with the signal, and half a message closes the connection', async () => {
      const [a, b] = await pair();
      const controller = new AbortController();
      const sending = sendFds(a, [], Buffer.alloc(2 ** 24), { signal: controller.signal });
      const next = sendFds(a, [], 'after it');
      const both = Promise.all([
        assert.rejects(sending, { name: 'AbortError' }), assert.rejects(next, { code: 'ERR_MEMMAP_CLOSED' }),
      ]);
      for (let i = 0; i < 10; i += 1) await turn();
      controller.abort();
      await both;
      assert.equal(a.closed, true);
      await assert.rejects(receiveFds(b), { code: 'ERR_MEMMAP_BAD_MESSAGE', name: 'PeerError' });
      assert.equal(b.closed, true);
    });

    it('ends with close()', async () => {
      const [a, b] = await pair();
      const waits = receiveFds(b);
      await turn();
      b.close();
      b[Symbol.dispose]();
      await assert.rejects(waits, { code: 'ERR_MEMMAP_CLOSED', name: 'StateError' });
      await assert.rejects(receiveFds(b), { code: 'ERR_MEMMAP_CLOSED' });
      await assert.rejects(sendFds(b, []), { code: 'ERR_MEMMAP_CLOSED' });
      await assert.rejects(sendFds(a, [], 'x'), { code: 'EPIPE', syscall: 'sendmsg', name: 'SystemError' });
    });

    it('for a descriptor that is none is an error, after which the connection goes on', async () => {
      const [a, b] = await pair();
      // No process has so many: the number of one that was closed may be another's by now.
      await assert.rejects(sendFds(a, [2 ** 30]), { code: 'EBADF', syscall: 'sendmsg' });
      await sendFds(a, [], 'goes on');
      assert.equal((await receiveFds(b)).payload.toString(), 'goes on');
    });
  });

  describe('a hostile peer', () => {
    const header = (fds, bytes) => `struct.pack('=8sII', b'memmap\\0\\1', ${fds}, ${bytes})`;
    const BAD = {
      'a length that nobody has': `s.sendall(${header(0, 2 ** 32 - 1)})`,
      'more descriptors than anybody has': `s.sendall(${header(2 ** 32 - 1, 0)})`,
      'descriptors it did not announce': `socket.send_fds(s, [${header(0, 0)}], [0, 1])`,
      'fewer descriptors than it announced': `socket.send_fds(s, [${header(3, 0)}], [0, 1])`,
      'more in the middle of a message': `socket.send_fds(s, [${header(1, 8)}], [0]); s.send(b'abcd'); socket.send_fds(s, [b'ef'], [0, 1])`,
      'half a message, and the end': `socket.send_fds(s, [${header(1, 8)}], [0]); s.send(b'abcd'); s.close()`,
      'a part of the descriptors, and the end': `socket.send_fds(s, [${header(300, 0)}], [0] * 253); s.close()`,
    };
    for (const [what, script] of Object.entries(BAD)) {
      it(`that sends ${what} is an error, after which the connection is closed and nothing of it left`, async () => {
        await withPython(`${script}\nsys.stdin.read()`, async (connection) => {
          const before = countDescriptors();
          await assert.rejects(receiveFds(connection), (error) => {
            assert.ok(error instanceof PeerError, error.stack);
            assert.equal(error.code, 'ERR_MEMMAP_BAD_MESSAGE');
            return true;
          });
          assert.equal(connection.closed, true);
          assert.equal(countDescriptors(), before - 1);
        });
      });
    }

    it('that sends its bytes one by one is waited for', async () => {
      const script = `
s.send(${header(0, 5)})
for one in b'hello': s.send(bytes([one])); time.sleep(0.02)`;
      await withPython(script, async (connection) => {
        assert.equal((await receiveFds(connection)).payload.toString(), 'hello');
      });
    });

    it('that sends bytes without descriptors sends a message as long as we find it', async () => {
      await withPython("s.send(b'plain')", async (connection) => {
        assert.equal((await receiveFds(connection)).payload.toString(), 'plain');
        assert.equal(await receiveFds(connection), undefined);
      });
    });

    it('that goes without reading what we sent is ECONNRESET, once', async () => {
      const [a, b] = await pair();
      await sendFds(a, [], 'unread');
      b.close();
      await assert.rejects(receiveFds(a), { code: 'ECONNRESET', syscall: 'recv', name: 'SystemError' });
      assert.equal(a.closed, true);
    });

    it('that goes in the middle of our message is EPIPE or ECONNRESET', async () => {
      await withPython('s.recv(10)\ns.close()', async (connection) => {
        await assert.rejects(sendFds(connection, [], Buffer.alloc(2 ** 24)), ({ code }) => ['EPIPE', 'ECONNRESET'].includes(code));
        assert.equal(connection.closed, true);
      });
    });
  });

  it('descriptors that the process may not have are EMFILE, and those that came are closed', async () => {
    const { stdout } = await runs('few-descriptors');
    assert.equal(stdout, 'EMFILE recvmsg\n');
  });

  it('what was on its way to a connection that is closed is closed with it', async () => {
    const [a, b] = await pair();
    const before = countDescriptors();
    const memory = SharedMemory.create({ length: 1 });
    await sendFds(a, Array(300).fill(memory));
    memory.close();
    b.close();
    assert.equal(countDescriptors(), before - 1);
  });

  it('sends any descriptor, of any system call', async () => {
    const [a, b] = await pair();
    const fd = sys.memfd_create('plain');
    await sendFds(a, [{ fd }, fd]);
    const { fds } = await receiveFds(b);
    assert.deepEqual(fds.map(inode), [inode(fd), inode(fd)]);
    closeAll([fd, ...fds]);
  });
});
