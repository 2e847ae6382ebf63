// System calls on files, 1:1: a value, or -errno.
#include "core/residency/page_cache.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/facts.h"
#include "sys/file.h"

namespace memmap::napi {
namespace {

Napi::Value ftruncate(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::ftruncate(int32(info[0]), int64(info[1])));
}

Napi::Value fallocate(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::fallocate(int32(info[0]), int32(info[1]), int64(info[2]),
                                          int64(info[3])));
}

// syncFile(fd, metadata) -> 0 | -errno: fsync(2), or without metadata fdatasync(2)
Napi::Value sync_file(const Napi::CallbackInfo& info) {
  const int fd = int32(info[0]);
  const bool metadata = info[1].As<Napi::Boolean>().Value();
  for (;;) {
    const sys::Errno error = metadata ? sys::fsync(fd) : sys::fdatasync(fd);
    if (error.value != EINTR) return to_js(info.Env(), error);
  }
}

// syncFileRange(fd, offset, length) -> 0 | -errno
Napi::Value sync_file_range(const Napi::CallbackInfo& info) {
  return to_js(info.Env(),
               sys::sync_file_range(int32(info[0]), int64(info[1]), int64(info[2])));
}

Napi::Value posix_fadvise(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), sys::posix_fadvise(int32(info[0]), int64(info[1]),
                                              int64(info[2]), int32(info[3])));
}

// cachestat(fd, offset, length, flags, counts: CachestatFact) -> 0 | -errno
Napi::Value cachestat(const Napi::CallbackInfo& info) {
  const auto out = elements<double>(info[4]);
  if (out.size() < CachestatFact::kAll) return number(info.Env(), -EINVAL);
  const sys::CachestatRange range = {size(info[1]), size(info[2])};
  sys::Cachestat counts = {};
  sys::Errno error = core::cachestat(int32(info[0]), range, counts,
                                     static_cast<unsigned>(int32(info[3])));
  out[CachestatFact::kCached] = static_cast<double>(counts.cached);
  out[CachestatFact::kDirty] = static_cast<double>(counts.dirty);
  out[CachestatFact::kWriteback] = static_cast<double>(counts.writeback);
  out[CachestatFact::kEvicted] = static_cast<double>(counts.evicted);
  out[CachestatFact::kRecentlyEvicted] = static_cast<double>(counts.recently_evicted);
  return to_js(info.Env(), error);
}

// The descriptor is JavaScript's from here on.
Napi::Value fd_or_error(Napi::Env env, sys::Result<sys::UniqueFd> fd) {
  if (!fd) return to_js(env, fd.error());
  return number(env, fd->release());
}

Napi::Value memfd_create(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  return fd_or_error(
      info.Env(), sys::memfd_create(name.c_str(), static_cast<unsigned>(int32(info[1]))));
}

Napi::Value pidfd_open(const Napi::CallbackInfo& info) {
  return fd_or_error(
      info.Env(), sys::pidfd_open(int32(info[0]), static_cast<unsigned>(int32(info[1]))));
}

}  // namespace

void export_file_calls(Napi::Env env, Napi::Object exports) {
  add<ftruncate>(env, exports, "ftruncate");
  add<fallocate>(env, exports, "fallocate");
  add<sync_file>(env, exports, "syncFile");
  add<sync_file_range>(env, exports, "syncFileRange");
  add<posix_fadvise>(env, exports, "posixFadvise");
  add<cachestat>(env, exports, "cachestat");
  add<memfd_create>(env, exports, "memfdCreate");
  add<pidfd_open>(env, exports, "pidfdOpen");
}

}  // namespace memmap::napi
