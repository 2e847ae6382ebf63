// The groups of functions that make up the module; each file of napi/ adds its own.
#pragma once

#include <napi.h>

namespace memmap::napi {

void export_mapping(Napi::Env env, Napi::Object exports);  // handles: map, close, resize
void export_buffer(Napi::Env env, Napi::Object exports);   // buffers over a mapping
void export_calls(Napi::Env env, Napi::Object exports);    // system calls on a target
void export_numa(Napi::Env env, Napi::Object exports);     // where pages lie
void export_file_calls(Napi::Env env, Napi::Object exports);  // system calls on files
void export_guard(Napi::Env env, Napi::Object exports);       // faults, checked copies
void export_fault_listener(Napi::Env env, Napi::Object exports);  // the news of faults
void export_residency(Napi::Env env, Napi::Object exports);
void export_scan(Napi::Env env, Napi::Object exports);    // search
void export_sync(Napi::Env env, Napi::Object exports);    // waiting, liveness
void export_maps(Napi::Env env, Napi::Object exports);    // the map of the process
void export_work(Napi::Env env, Napi::Object exports);    // calls off the main thread
void export_survey(Napi::Env env, Napi::Object exports);  // what of files is in memory
void export_touch(Napi::Env env, Napi::Object exports);   // files into memory
void export_shared_memory(Napi::Env env, Napi::Object exports);  // memory, and its seals
void export_socket(Napi::Env env, Napi::Object exports);     // Unix sockets, descriptors
void export_readiness(Napi::Env env, Napi::Object exports);  // waiting for them
void export_constants(Napi::Env env, Napi::Object exports);

template <auto kFunction>
void add(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<kFunction>(env, name));
}

}  // namespace memmap::napi
