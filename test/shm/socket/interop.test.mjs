// Shared memory exchanged with programs in Python and C: lib/shm/socket/{send-fds,frame,connection}.ts.
import assert from 'node:assert/strict';
import { closeSync, existsSync } from 'node:fs';
import { SharedMemory, connect, listen, receiveFds, sendFds } from 'memmap/shm';
import { closeAll, closedAfterEach, descriptors } from '../../support/descriptors.mjs';
import { compiled, python, start } from '../../support/process/program.mjs';
import { temporaryFiles } from '../../support/temp.mjs';
import { until } from '../../support/until.mjs';

const SIZE = 8192;

/** Listens, and hands the first connection to `use`. */
async function withPeer(path, startPeer, use) {
  let connection;
  const server = listen(path, (accepted) => (connection = accepted));
  const peer = startPeer();
  try {
    await until(() => connection !== undefined, 'the peer connects');
    await use(connection, peer);
    const { code, stderr } = await peer.ended;
    assert.equal(code, 0, stderr);
  } finally {
    connection?.close();
    server.close();
    peer.child.kill();
  }
}

/** Replies to each message with memory of its own, and checks ours. */
const C_PEER = `
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int transfer(int s, int fd, int receive) {
  char byte = 'c';
  struct iovec data = {&byte, 1};
  union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control = {0};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  if (receive) {
    if (recvmsg(s, &message, 0) != 1 || (message.msg_flags & MSG_CTRUNC)) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return -1;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
  }
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return (int)sendmsg(s, &message, 0);
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, argv[1]);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(s, (struct sockaddr *)&address, sizeof address) != 0) return 2;
  int theirs = transfer(s, -1, 1);
  if (theirs < 0) return 3;
  char *shared = mmap(NULL, ${SIZE}, PROT_READ | PROT_WRITE, MAP_SHARED, theirs, 0);
  if (shared == MAP_FAILED || strcmp(shared, "from node") != 0) return 4;
  strcpy(shared + 4096, "c was here");
  int ours = memfd_create("c", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (ours < 0 || ftruncate(ours, ${SIZE}) != 0) return 5;
  if (pwrite(ours, "from c", 6, 0) != 6) return 6;
  return transfer(s, ours, 0) == 1 ? 0 : 7;
}`;

describe('Shared memory with other languages', () => {
  const file = temporaryFiles();
  const keep = closedAfterEach();

  describe('Python', () => {
    it('gets memory with socket.recv_fds, and sees with mmap what we write, and we what it writes', async () => {
      const path = file('to-python');
      const memory = keep(SharedMemory.create({ length: SIZE }));
      const mapping = keep(memory.map());
      mapping.bytes.write('from node');
      const script = `
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
message, fds, flags, _ = socket.recv_fds(s, 100, 4)
assert message == b'a name', message
assert len(fds) == 1 and flags == 0, (fds, flags)
with mmap.mmap(fds[0], ${SIZE}) as m:
    assert m[:9] == b'from node', m[:9]
    m[4096:4106] = b'python was'
s.send(b'done')`;
      await withPeer(path, () => python(script, [path]), async (connection) => {
        await sendFds(connection, [memory], 'a name');
        const { payload, fds } = await receiveFds(connection);
        assert.deepEqual([payload.toString(), fds], ['done', []]);
        assert.equal(mapping.bytes.toString('latin1', 4096, 4106), 'python was');
      });
    });

    it('sends memory with socket.send_fds, and seals prove what it can no longer do', async () => {
      const path = file('from-python');
      const script = `
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
fd = os.memfd_create('python', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
os.ftruncate(fd, ${SIZE})
m = mmap.mmap(fd, ${SIZE})
m[:11] = b'from python'
fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
socket.send_fds(s, [b'sealed'], [fd])
assert s.recv(10) == b'seen'
assert m[4096:4100] == b'node'`;
      await withPeer(path, () => python(script, [path]), async (connection, { child }) => {
        assert.equal(connection.peer.pid, child.pid);
        assert.equal(connection.peer.uid, process.geteuid());
        const { fds, payload } = await receiveFds(connection);
        assert.equal(payload.toString(), 'sealed');
        const memory = keep(SharedMemory.fromFd(fds[0], { require: ['shrink', 'grow'], length: SIZE }));
        closeSync(fds[0]);
        const mapping = keep(memory.map());
        assert.equal(mapping.bytes.toString('latin1', 0, 11), 'from python');
        mapping.bytes.write('node', 4096);
        // Of this memory: the pipes to the peer close whenever it ends.
        const held = () => [...descriptors().values()].filter((link) => link.startsWith('/memfd:python')).length;
        const before = held();
        const one = memory.readOnlyFd();
        assert.equal(held(), before + 1);
        // A byte that means nothing to us means something to others: it arrives as it is sent.
        await sendFds(connection, [one], 'seen');
        closeSync(one);
        assert.equal(held(), before);
      });
    });

    it('gets 300 descriptors in two messages and a frame, as docs/abi.md says', async () => {
      const path = file('many-to-python');
      const script = `
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
head, fds, _, _ = socket.recv_fds(s, 16, 253)
magic, count, length = struct.unpack('=8sII', head)
assert magic == b'memmap\\0\\1', magic
assert (count, length) == (300, 5), (count, length)
more, rest, _, _ = socket.recv_fds(s, 1, 253)
assert (len(fds), more, len(rest)) == (253, b'\\0', 47), (len(fds), more, len(rest))
assert s.recv(100) == b'hello'
# The same back.
socket.send_fds(s, [head], fds)
socket.send_fds(s, [b'\\0'], rest)
s.send(b'again')`;
      const memory = keep(SharedMemory.create({ length: SIZE }));
      await withPeer(path, () => python(script, [path]), async (connection) => {
        await sendFds(connection, Array(300).fill(memory), 'hello');
        const { fds, payload } = await receiveFds(connection);
        assert.deepEqual([fds.length, payload.toString()], [300, 'again']);
        closeAll(fds);
      });
    });

    it('listens, and we connect', async () => {
      const path = file('python-listens');
      const script = `
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
s, _ = server.accept()
message, fds, _, _ = socket.recv_fds(s, 100, 4)
socket.send_fds(s, [message], fds)`;
      const peer = python(script, [path]);
      let connection;
      await until(async () => {
        if (!existsSync(path)) return false;
        connection = await connect(path).catch(() => undefined);
        return connection !== undefined;
      }, 'Python listens');
      const memory = keep(SharedMemory.create({ length: SIZE }));
      await sendFds(connection, [memory], 'echo');
      const { fds, payload } = await receiveFds(connection);
      assert.equal(payload.toString(), 'echo');
      const back = keep(SharedMemory.fromFd(fds[0]));
      closeAll(fds);
      const [ours, theirs] = [keep(memory.map()), keep(back.map())];
      ours.bytes[0] = 7;
      assert.equal(theirs.bytes[0], 7);
      assert.equal(await receiveFds(connection), undefined);
      connection.close();
      assert.equal((await peer.ended).code, 0);
    });
  });

  describe('C', () => {
    const program = compiled(C_PEER);

    it('gets memory with recvmsg and a single byte, and gives some back', async () => {
      const path = file('c');
      const memory = keep(SharedMemory.create({ length: SIZE }));
      const mapping = keep(memory.map());
      mapping.bytes.write('from node');
      await withPeer(path, () => start(program(), [path]), async (connection) => {
        await sendFds(connection, [memory]);
        const { fds, payload } = await receiveFds(connection);
        assert.equal(payload.toString(), 'c');
        const theirs = keep(SharedMemory.fromFd(fds[0], { length: SIZE }));
        closeAll(fds);
        const view = keep(theirs.map({ access: 'read' }));
        assert.equal(view.bytes.toString('latin1', 0, 6), 'from c');
        assert.equal(mapping.bytes.toString('latin1', 4096, 4106), 'c was here');
      });
    });
  });
});
