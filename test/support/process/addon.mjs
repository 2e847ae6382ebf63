// A native addon of somebody else, made for the calling describe block: a signal handler that
// calls whoever was there before, bugs, and mappings of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { skip } from '../hooks.mjs';
import { NODE_HEADERS, compile, nodeHeaders } from './compile.mjs';

const SOURCE = `
#define _GNU_SOURCE
#include <errno.h>
#include <node_api.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sigaction before_bus, before_segv;
static volatile int calls;

static void on_signal(int number, siginfo_t* info, void* context) {
  if (++calls > 1000) _exit(99);  // going round for ever
  struct sigaction* before = number == SIGBUS ? &before_bus : &before_segv;
  if (before->sa_flags & SA_SIGINFO) before->sa_sigaction(number, info, context);
  else if (before->sa_handler == SIG_DFL) signal(number, SIG_DFL);
  else before->sa_handler(number);
}

static napi_value install(napi_env env, napi_callback_info info) {
  struct sigaction action = {0};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGBUS, &action, &before_bus);
  sigaction(SIGSEGV, &action, &before_segv);
  return NULL;
}

static napi_value uninstall_all(napi_env env, napi_callback_info info) {
  signal(SIGBUS, SIG_DFL);
  signal(SIGSEGV, SIG_DFL);
  return NULL;
}

static napi_value count(napi_env env, napi_callback_info info) {
  napi_value result;
  napi_create_int32(env, calls, &result);
  return result;
}

static napi_value wild_read(napi_env env, napi_callback_info info) {
  size_t one = 1;
  napi_value address;
  int64_t number = 0;
  napi_get_cb_info(env, info, &one, &address, NULL, NULL);
  napi_get_value_int64(env, address, &number);
  napi_value result;
  napi_create_int32(env, *(volatile char*)(uintptr_t)number, &result);
  return result;
}

static int64_t argument(napi_env env, napi_callback_info info, int i) {
  size_t count = 4;
  napi_value all[4];
  int64_t number = 0;
  napi_get_cb_info(env, info, &count, all, NULL, NULL);
  napi_get_value_int64(env, all[i], &number);
  return number;
}

static napi_value number_of(napi_env env, int64_t number) {
  napi_value result;
  napi_create_int64(env, number, &result);
  return result;
}

static napi_value wild_write(napi_env env, napi_callback_info info) {
  *(volatile char*)(uintptr_t)argument(env, info, 0) = (char)argument(env, info, 1);
  return NULL;
}

// map(address, length, prot, fd) -> address or -errno; nothing may be there
static napi_value map(napi_env env, napi_callback_info info) {
  const int fd = (int)argument(env, info, 3);
  const int flags = (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED_NOREPLACE;
  void* mapped = mmap((void*)(uintptr_t)argument(env, info, 0), argument(env, info, 1),
                      (int)argument(env, info, 2), flags, fd, 0);
  return number_of(env, mapped == MAP_FAILED ? -errno : (int64_t)(uintptr_t)mapped);
}

static napi_value unmap(napi_env env, napi_callback_info info) {
  return number_of(env, munmap((void*)(uintptr_t)argument(env, info, 0), argument(env, info, 1)));
}

static char* filled;
static size_t filled_length;

// Takes all the mappings that the process may have.
static napi_value fill(napi_env env, napi_callback_info info) {
  const size_t page = 4096;
  filled_length = ((size_t)1 << 18) * page;
  filled = mmap(NULL, filled_length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  int64_t count = 0;
  for (size_t at = page; at < filled_length; at += 2 * page) {
    if (mprotect(filled + at, page, PROT_READ) != 0) break;
    count++;
  }
  // One more may go by mmap(2): shared memory merges with nothing.
  while (mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) count++;
  return number_of(env, count);
}

static napi_value empty(napi_env env, napi_callback_info info) {
  munmap(filled, filled_length);
  return NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor all[] = {
    {"install", NULL, install, NULL, NULL, NULL, napi_default, NULL},
    {"uninstallAll", NULL, uninstall_all, NULL, NULL, NULL, napi_default, NULL},
    {"calls", NULL, count, NULL, NULL, NULL, napi_default, NULL},
    {"wildRead", NULL, wild_read, NULL, NULL, NULL, napi_default, NULL},
    {"wildWrite", NULL, wild_write, NULL, NULL, NULL, napi_default, NULL},
    {"map", NULL, map, NULL, NULL, NULL, napi_default, NULL},
    {"unmap", NULL, unmap, NULL, NULL, NULL, napi_default, NULL},
    {"fill", NULL, fill, NULL, NULL, NULL, napi_default, NULL},
    {"empty", NULL, empty, NULL, NULL, NULL, napi_default, NULL},
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}
`;

/** Where node_api.h is; skips the tests where it is not. */
export function nodeApiHeaders(context) {
  return nodeHeaders() ?? skip(context, `no node_api.h in ${NODE_HEADERS.join(', ')}`);
}

/** Returns path(): of the addon, to load with process.dlopen or createRequire. */
export function foreignAddon() {
  let directory;
  before(function () {
    const include = nodeApiHeaders(this);
    directory = mkdtempSync(join(tmpdir(), 'memmap-addon-'));
    compile(directory, 'foreign.node', SOURCE, '-shared', '-fPIC', '-I', include);
  });
  after(() => {
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });
  return () => join(directory, 'foreign.node');
}
