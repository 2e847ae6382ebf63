// 'memmap/http': files over HTTP. Re-exports only.
export { FaultError, StateError, SystemError, UnsupportedError } from '../errors.js';
export type { Servable } from './files.js';
export type { HeadersLike, HttpOptions } from './headers.js';
export type { Ask, Reply } from './reply.js';
export { type RequestLike, respond } from './respond.js';
export { serve } from './serve.js';
