// Memory that processes share, by its descriptor, which the environment holds.
#include "core/mapping/shared_memory.h"

#include <utility>

#include "napi/convert.h"
#include "napi/environment.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "sys/file.h"

namespace memmap::napi {
namespace {

// The descriptor is the environment's.
Napi::Value held(Napi::Env env, sys::Result<sys::UniqueFd> fd) {
  if (!fd) return to_js(env, fd.error());
  return number(env, Environment::of(env).hold_fd(std::move(*fd)));
}

// The descriptor is JavaScript's from here on.
Napi::Value given(Napi::Env env, sys::Result<sys::UniqueFd> fd) {
  if (!fd) return to_js(env, fd.error());
  return number(env, fd->release());
}

// createSharedMemory(name | null, memfdFlags, secret, length, step: Float64Array) -> fd |
// -errno
Napi::Value create_shared_memory(const Napi::CallbackInfo& info) {
  const auto out = elements<double>(info[4]);
  if (out.empty()) return number(info.Env(), -EINVAL);
  core::SharedMemoryRequest request;
  std::string name;
  if (info[0].IsString()) {
    name = info[0].As<Napi::String>().Utf8Value();
    request.name = name.c_str();
  }
  request.memfd_flags = static_cast<unsigned>(int32(info[1]));
  request.secret = info[2].As<Napi::Boolean>().Value();
  request.length = int64(info[3]);
  core::SharedMemoryStep step = core::SharedMemoryStep::kOpen;
  sys::Result<sys::UniqueFd> fd = core::create_shared_memory(request, step);
  out[0] = static_cast<double>(step);
  return held(info.Env(), std::move(fd));
}

// examineSharedMemory(fd, facts: SharedMemoryFact) -> 0 | -errno
Napi::Value examine_shared_memory(const Napi::CallbackInfo& info) {
  const auto out = elements<double>(info[1]);
  if (out.size() < SharedMemoryFact::kAll) return number(info.Env(), -EINVAL);
  core::SharedMemoryFacts facts;
  sys::Errno error = core::examine_shared_memory(int32(info[0]), facts);
  out[SharedMemoryFact::kMemory] = facts.memory ? 1 : 0;
  out[SharedMemoryFact::kSecret] = facts.secret ? 1 : 0;
  out[SharedMemoryFact::kWritable] = facts.writable ? 1 : 0;
  out[SharedMemoryFact::kLength] = static_cast<double>(facts.length);
  out[SharedMemoryFact::kPageSize] = static_cast<double>(facts.page_size);
  out[SharedMemoryFact::kSeals] = facts.seals;
  return to_js(info.Env(), error);
}

// openSharedMemory(name, flags) -> held fd | -errno
Napi::Value open_shared_memory(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return held(info.Env(), sys::shm_open(name.c_str(), int32(info[1]), 0));
}

// openFd(path, flags) -> fd | -errno
Napi::Value open_fd(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  return given(info.Env(), sys::open(path.c_str(), int32(info[1]), 0));
}

// dupFd(fd) -> held fd | -errno
Napi::Value dup_fd(const Napi::CallbackInfo& info) {
  return held(info.Env(), sys::dup(int32(info[0])));
}

void close_fd(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).close_fd(int32(info[0]));
}

void give_fd(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).give_fd(int32(info[0]));
}

Napi::Value add_seals(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::fcntl_add_seals(int32(info[0]), int32(info[1])));
}

Napi::Value get_seals(const Napi::CallbackInfo& info) {
  sys::Result<int> seals = sys::fcntl_get_seals(int32(info[0]));
  return seals ? number(info.Env(), *seals) : to_js(info.Env(), seals.error());
}

Napi::Value shm_open(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return given(info.Env(), sys::shm_open(name.c_str(), int32(info[1]),
                                         static_cast<mode_t>(int32(info[2]))));
}

Napi::Value shm_unlink(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return to_js(info.Env(), sys::shm_unlink(name.c_str()));
}

Napi::Value memfd_secret(const Napi::CallbackInfo& info) {
  return given(info.Env(), sys::memfd_secret(static_cast<unsigned>(int32(info[0]))));
}

}  // namespace

void export_shared_memory(Napi::Env env, Napi::Object exports) {
  add<create_shared_memory>(env, exports, "createSharedMemory");
  add<examine_shared_memory>(env, exports, "examineSharedMemory");
  add<open_shared_memory>(env, exports, "openSharedMemory");
  add<open_fd>(env, exports, "openFd");
  add<dup_fd>(env, exports, "dupFd");
  add<close_fd>(env, exports, "closeFd");
  add<give_fd>(env, exports, "giveFd");
  add<add_seals>(env, exports, "addSeals");
  add<get_seals>(env, exports, "getSeals");
  add<shm_open>(env, exports, "shmOpen");
  add<shm_unlink>(env, exports, "shmUnlink");
  add<memfd_secret>(env, exports, "memfdSecret");
}

}  // namespace memmap::napi
