// Disk images: what is in them and what of it may be used. Pure functions on bytes that somebody else reads.

export { crc32, ImageDefect, type ImageReader } from './bytes';
export { type Designator, mountPointOf } from './designators';
export { type Layout, layoutOf, partReader } from './layout';
export {
  defaultPolicy,
  type FoundPartition,
  type ImagePolicy,
  mayUse,
  type PartitionRule,
  type Protection,
  parseImagePolicy,
  ruleFor,
} from './policy';
export { type Selection, selectPartitions, type VerityIdentity } from './select';
export { type Content, contentOf } from './superblock';
export type { Partition, PartitionTable } from './table';
