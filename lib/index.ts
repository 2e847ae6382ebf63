// The public API: re-exports only.
export { FaultError, StateError, SystemError, UnsupportedError, type FaultErrorKind, type FaultKind } from './errors.js';
export { type CacheDump, type RestoreOptions, type Restored, dump, restore } from './file/cache-dump.js';
export { type DumpAllOptions, type DumpedFile, dumpAll } from './file/many/dump-all.js';
export { type FileResidency, type ResidencyOfAllOptions, residencyOfAll } from './file/many/residency-of-all.js';
export type { FileCounts } from './file/many/survey-call.js';
export { type RestoreAllOptions, type RestoredFile, type RestoreProgress, restoreAll } from './file/many/restore-all.js';
export { type FileAccess, FileMapping } from './file/file-mapping.js';
export { type MapFileOptions, mapFile } from './file/map-file.js';
export type { Line, LineBreaks, LineOptions, LineTerminator, Lines } from './file/reading/line.js';
export type { FileLike } from './file/open-file.js';
export { type PlaceOptions, Reservation, reserve } from './file/reservation.js';
export { residencyOf } from './file/residency-of.js';
export { type TouchOptions, type TouchProgress, type TouchTotals, type Touched, touch } from './file/touch.js';
export type { Window, WindowOptions } from './file/reading/windows.js';
export type { FeatureName } from './internal/features.js';
export type { BufferKind, Hint, HugePages, PolicyMode, Protection } from './internal/enums.js';
export type { Range } from './internal/range.js';
export {
  AnonymousMapping,
  type AnonymousOptions,
  type MapOptions,
  type Placement,
  type Sharing,
  mapAnonymous,
} from './mem/anonymous.js';
export type { BackgroundOptions, Progress } from './mem/background.js';
export type { Fault, Faults } from './mem/faults.js';
export { type Configuration, configure, guard } from './mem/guard.js';
export { type Feature, type Features, type GuardFeature, features } from './mem/features.js';
export { type HugePagePool, type NodeHugePages, hugePagePools } from './mem/machine/huge-page-pools.js';
export type { MapEntry } from './mem/maps/map-entry.js';
export type { LockOptions } from './mem/lock.js';
export { Mapping } from './mem/mapping.js';
export type { BlobOptions, ByteStreamOptions, ResponseOptions } from './mem/stream.js';
export { type Maps, type MapsAt, type MapsAtOptions, type MapsOptions, maps } from './mem/maps/maps.js';
export type { Migration } from './mem/numa.js';
export { type BindPolicy, type MemoryPolicy, memoryPolicy, setMemoryPolicy } from './mem/policy.js';
export type { Access } from './mem/protections.js';
export type { Residency, ResidencyRun, Trust } from './mem/residency.js';
export { type HugePagesOfNode, type NodeAccess, type NumaNode, numaNodes } from './mem/machine/topology.js';
export type { Footprint, Usage } from './mem/maps/usage.js';
export type { TextOptions } from './mem/text/decode.js';
export type { ViewConstructor, ViewOptions, ViewOver } from './mem/view.js';
