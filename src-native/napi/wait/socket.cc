// Unix sockets that carry descriptors. What arrives is the environment's until JavaScript
// has seen the whole of a message.
#include <algorithm>
#include <cstring>
#include <utility>

#include "napi/convert.h"
#include "napi/environment.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "sys/unix_socket.h"

namespace memmap::napi {
namespace {

// The kernel's limit for one message: SCM_MAX_FD.
constexpr size_t kMaxFds = 253;

// Room for the control message of so many.
struct Control {
  alignas(cmsghdr) char bytes[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
};

Napi::Value held(Napi::Env env, sys::Result<sys::UniqueFd> fd) {
  if (!fd) return to_js(env, fd.error());
  return number(env, Environment::of(env).hold_fd(std::move(*fd)));
}

Napi::Value socket_unix(const Napi::CallbackInfo& info) {
  return held(info.Env(), sys::socket_unix());
}

template <auto kCall>
Napi::Value at_address(const Napi::CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[1]);
  const sys::UnixAddress address = {reinterpret_cast<const char*>(bytes.data()),
                                    bytes.size()};
  return to_js(info.Env(), kCall(int32(info[0]), address));
}

Napi::Value listen(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::listen(int32(info[0]), int32(info[1])));
}

Napi::Value accept(const Napi::CallbackInfo& info) {
  return held(info.Env(), sys::accept4(int32(info[0])));
}

// peerCredentials(fd, out: PeerFact) -> 0 | -errno
Napi::Value peer_credentials(const Napi::CallbackInfo& info) {
  const auto out = elements<double>(info[1]);
  if (out.size() < PeerFact::kAll) return number(info.Env(), -EINVAL);
  sys::Result<ucred> peer = sys::peer_credentials(int32(info[0]));
  if (!peer) return to_js(info.Env(), peer.error());
  out[PeerFact::kPid] = peer->pid;
  out[PeerFact::kUid] = peer->uid;
  out[PeerFact::kGid] = peer->gid;
  return number(info.Env(), 0);
}

// sendPart(fd, bytes: Uint8Array, fds: Int32Array) -> bytes sent | -errno. All
// descriptors go with the first byte.
Napi::Value send_part(const Napi::CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[1]);
  const auto fds = elements<int32_t>(info[2]);
  const size_t count = fds.size();
  if (count > kMaxFds) return number(info.Env(), -EINVAL);
  iovec data = {bytes.data(), bytes.size()};
  Control control;
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), count * sizeof(int));
  }
  sys::Result<ssize_t> sent = sys::sendmsg(int32(info[0]), message);
  if (!sent) return to_js(info.Env(), sent.error());
  return number(info.Env(), static_cast<double>(*sent));
}

// receivePart(fd, bytes: Uint8Array, fds: Int32Array(253), facts: ReceivedFact)
// -> bytes received, 0 at the end | -errno.
Napi::Value receive_part(const Napi::CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[1]);
  const auto fds = elements<int32_t>(info[2]);
  const auto facts = elements<double>(info[3]);
  if (facts.size() < ReceivedFact::kAll) return number(info.Env(), -EINVAL);
  iovec data = {bytes.data(), bytes.size()};
  Control control;
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  sys::Result<ssize_t> got = sys::recvmsg(int32(info[0]), message, MSG_CMSG_CLOEXEC);
  facts[ReceivedFact::kFds] = 0;
  facts[ReceivedFact::kLost] = 0;
  if (!got) return to_js(info.Env(), got.error());

  Environment& environment = Environment::of(info.Env());
  size_t count = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < here; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      sys::UniqueFd received(fd);
      if (count < std::min(kMaxFds, fds.size())) {
        fds[count] = environment.hold_fd(std::move(received));
        count += 1;
      }
    }
  }
  facts[ReceivedFact::kFds] = static_cast<double>(count);
  facts[ReceivedFact::kLost] = (message.msg_flags & MSG_CTRUNC) != 0 ? 1 : 0;
  return number(info.Env(), static_cast<double>(*got));
}

// peek(fd, bytes: Uint8Array) -> bytes that wait to be read, 0 at the end | -errno
Napi::Value peek(const Napi::CallbackInfo& info) {
  const auto bytes = elements<uint8_t>(info[1]);
  sys::Result<ssize_t> got =
      sys::recv(int32(info[0]), bytes.data(), bytes.size(), MSG_PEEK);
  if (!got) return to_js(info.Env(), got.error());
  return number(info.Env(), static_cast<double>(*got));
}

}  // namespace

void export_socket(Napi::Env env, Napi::Object exports) {
  add<socket_unix>(env, exports, "socketUnix");
  add<at_address<sys::bind>>(env, exports, "bind");
  add<at_address<sys::connect>>(env, exports, "connect");
  add<listen>(env, exports, "listen");
  add<accept>(env, exports, "accept");
  add<peer_credentials>(env, exports, "peerCredentials");
  add<send_part>(env, exports, "sendPart");
  add<receive_part>(env, exports, "receivePart");
  add<peek>(env, exports, "peek");
}

}  // namespace memmap::napi
