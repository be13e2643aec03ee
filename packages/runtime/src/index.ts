export { exitNow, explainsFailure, requireFilters } from '@tsnspawn/native';
export { type Machine, type MachineEnd, type MachineOptions, startMachine } from './machine';
export { probeHost, randomUuid } from './probe/host';
export { parseMountinfo } from './probe/mountinfo';
export { requireProcessors } from './probe/processors';
export { findSettings } from './probe/settings-file';
export { probeTree } from './probe/tree';
export { probeWishes, removeStale, type Wishes } from './probe/wishes';
export { type SuperviseOptions, supervise } from './supervise';
