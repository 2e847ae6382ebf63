// Another library in the process, which maps and unmaps where the kernel likes, and looks whether
// its bytes are its own; and which takes the mappings that the kernel allows a process.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { nodeHeaders } from '../support/process/compile.mjs';

const SOURCE = `
#define _GNU_SOURCE
#include <node_api.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, LIVE = 64, MOST = 16 };
struct region { unsigned char* at; size_t length; unsigned char byte; int closed; };
static _Thread_local struct region regions[LIVE];
static _Thread_local uint32_t state = 1;
static _Thread_local int fd = -1;

static uint32_t next(uint32_t n) {
  state ^= state << 13; state ^= state >> 17; state ^= state << 5;
  return state % n;
}

// Whether the kernel reads the byte: -1 if nothing may.
static int peek(const unsigned char* at) {
  unsigned char byte;
  struct iovec local = {&byte, 1}, remote = {(void*)at, 1};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 ? byte : -1;
}

// How many bytes are not what was put there.
static int wrong(const struct region* r) {
  int count = 0;
  for (size_t i = 0; i < r->length; i += PAGE) {
    const int seen = r->closed ? peek(r->at + i) : r->at[i];
    if (seen != (r->closed ? -1 : r->byte)) count++;
  }
  return count;
}

static void take(struct region* r) {
  r->length = (size_t)PAGE * (1 + next(MOST));
  r->byte = (unsigned char)(1 + next(255));
  r->closed = next(4) == 0;
  const int file = next(2);
  if (file && fd < 0) fd = memfd_create("stranger", MFD_CLOEXEC);
  if (file && (fd < 0 || ftruncate(fd, PAGE * MOST) != 0)) return;
  // A file of this library's own, copied: each region has bytes of its own.
  void* at = mmap(NULL, r->length, PROT_READ | PROT_WRITE, file ? MAP_PRIVATE : MAP_PRIVATE | MAP_ANONYMOUS, file ? fd : -1, 0);
  if (at == MAP_FAILED) return;
  memset(at, r->byte, r->length);
  r->at = at;
  if (r->closed) {
    // At the limit of mappings there may be none to split.
    if (mprotect(at, r->length, PROT_NONE) != 0) r->closed = 0;
  } else if (next(2) == 0) {
    mprotect(at, r->length, PROT_READ);
  }
}

static int64_t argument(napi_env env, napi_callback_info info) {
  size_t one = 1;
  napi_value value;
  int64_t number = 0;
  napi_get_cb_info(env, info, &one, &value, NULL, NULL);
  napi_get_value_int64(env, value, &number);
  return number;
}
static napi_value result(napi_env env, int64_t number) {
  napi_value value;
  napi_create_int64(env, number, &value);
  return value;
}
static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// churn(ms) -> regions looked at, or the negative number of bytes that were changed
static napi_value churn(napi_env env, napi_callback_info info) {
  const int64_t end = now() + argument(env, info);
  int64_t looked = 0;
  state ^= (uint32_t)end | 1;
  while (now() < end) {
    struct region* r = &regions[next(LIVE)];
    if (r->at == NULL) { take(r); continue; }
    const int bad = wrong(r);
    if (bad > 0) return result(env, -bad);
    looked++;
    if (next(2) == 0) { munmap(r->at, r->length); r->at = NULL; }
  }
  return result(env, looked);
}

static unsigned char* filled;
static size_t filled_length;

// fill(leave): mappings until only so many more are allowed
static napi_value fill(napi_env env, napi_callback_info info) {
  const int64_t leave = argument(env, info);
  char text[4096];
  long limit = 0, count = 0;
  FILE* file = fopen("/proc/sys/vm/max_map_count", "re");
  if (file == NULL || fscanf(file, "%ld", &limit) != 1) return result(env, -1);
  fclose(file);
  file = fopen("/proc/self/maps", "re");
  if (file == NULL) return result(env, -1);
  for (size_t length; (length = fread(text, 1, sizeof text, file)) > 0;)
    for (size_t i = 0; i < length; i++) count += text[i] == '\\n';
  fclose(file);
  const long wanted = limit - leave - count;
  if (wanted < 4) return result(env, 0);
  filled_length = (size_t)wanted * PAGE;
  filled = mmap(NULL, filled_length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (filled == MAP_FAILED) { filled = NULL; return result(env, -1); }
  for (long page = 1; page < wanted; page += 2) {
    if (mprotect(filled + page * PAGE, PAGE, PROT_READ) != 0) break;
  }
  return result(env, wanted);
}

static napi_value unfill(napi_env env, napi_callback_info info) {
  if (filled != NULL) munmap(filled, filled_length);
  filled = NULL;
  return NULL;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor all[] = {
    {"churn", NULL, churn, NULL, NULL, NULL, napi_default, NULL},
    {"fill", NULL, fill, NULL, NULL, NULL, napi_default, NULL},
    {"unfill", NULL, unfill, NULL, NULL, NULL, napi_default, NULL},
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}
`;

/** Compiles it into the folder: its path; undefined without a compiler or the headers of Node. */
export function buildStranger(folder) {
  const include = nodeHeaders();
  if (include === undefined) return undefined;
  const path = join(folder, 'stranger.node');
  const compiler = ['cc', 'g++'].find((name) => {
    try {
      const language = name === 'cc' ? ['-x', 'c', '-std=gnu11'] : ['-x', 'c++', '-std=c++20', '-fpermissive', '-w'];
      execFileSync(name, [...language, '-O1', '-shared', '-fPIC', '-I', include, '-o', path, '-'], { input: SOURCE, stdio: ['pipe', 'ignore', 'pipe'] });
      return true;
    } catch {
      return false;
    }
  });
  return compiler === undefined ? undefined : path;
}

export const loadStranger = (path) => createRequire(import.meta.url)(path);
