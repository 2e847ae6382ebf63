// What TypeScript refuses since the types of lib dom know of buffers: 5.9.
import { mapFile } from 'memmap';

// @ts-expect-error: what is hashed must not change meanwhile
void crypto.subtle.digest('SHA-256', mapFile('x').view(Uint8Array));
// @ts-expect-error: what is hashed must not change meanwhile
void crypto.subtle.digest('SHA-256', mapFile('x').bytes);
void crypto.subtle.digest('SHA-256', mapFile('x', { buffer: 'array' }).view(Uint8Array));
