// Module entry. Loaded once a process, initialised once a thread. Node unloads an addon
// with the last worker that loaded it, but backing stores over our pages die later, on
// any thread, and call back here: it is linked with -z nodelete.
#include "napi/environment.h"
#include "napi/exports.h"

static Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new memmap::napi::Environment);
  memmap::napi::export_mapping(env, exports);
  memmap::napi::export_buffer(env, exports);
  memmap::napi::export_calls(env, exports);
  memmap::napi::export_numa(env, exports);
  memmap::napi::export_file_calls(env, exports);
  memmap::napi::export_guard(env, exports);
  memmap::napi::export_fault_listener(env, exports);
  memmap::napi::export_residency(env, exports);
  memmap::napi::export_scan(env, exports);
  memmap::napi::export_sync(env, exports);
  memmap::napi::export_maps(env, exports);
  memmap::napi::export_work(env, exports);
  memmap::napi::export_survey(env, exports);
  memmap::napi::export_touch(env, exports);
  memmap::napi::export_shared_memory(env, exports);
  memmap::napi::export_socket(env, exports);
  memmap::napi::export_readiness(env, exports);
  memmap::napi::export_constants(env, exports);
  return exports;
}

NODE_API_MODULE(memmap, initialise)
