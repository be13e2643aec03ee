// @tsnspawn/rootfs: make trees, from a distribution's archive or from the host's own programs.

// The pieces, for programs that need one of them and for the tests.
export { parseDeb822 } from './apt/deb822';
export { PackageUniverse } from './apt/packages';
export { parseRelations } from './apt/relation';
export { parseRelease } from './apt/release';
export { resolve } from './apt/resolve';
export { parseClearSigned, verifyClearSigned, verifyDetached } from './apt/signature';
export { chooseSources, parseSourcesDeb822, parseSourcesList } from './apt/sources';
export { compareVersions, parseVersion, versionSatisfies } from './apt/version';
export { openDeb } from './archive/ar';
export { readControls, readData } from './archive/deb';
export { readTar, writeEntry } from './archive/tar';
export { encodeHeader, endOfArchive, padding } from './archive/tar-writer';
export { TreeWriter } from './archive/tree-writer';
export { runXzLane, type XzJob, xzPlainSize } from './archive/xz-lane';
export { bootstrap } from './bootstrap';
export { type BootstrapOptions, INITS, type Init, VARIANTS, type Variant } from './context';
export { divertsOnUnpack, planSteps, type Step, scriptOf } from './dpkg/configure';
export { libraryClosure } from './elf/closure';
export { parseElf } from './elf/elf';
export { BootstrapError } from './errors';
export { type ExportOptions, exportTree } from './export/export';
export { COMPRESSIONS, type Compression } from './export/output';
export type { GuestRunner } from './guest';
export { decodeOwner, encodeOwner, OWNER_ATTRIBUTE } from './owners/remembered';
export { appendToStore, readStore, storeBeside } from './owners/store';
export { terminalProgress } from './progress';
export { type RemoveOptions, removeTree } from './remove';
export { type UnpackOptions, unpackOnly } from './unpack-only';
export { appletNames } from './variant/busybox';
