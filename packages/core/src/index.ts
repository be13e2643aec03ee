// @tsnspawn/core: spec, facts, view and plan of a container. Pure functions and plain data; no file, process or addon is touched.

export * from './capabilities';
export { refuseConflicts } from './conflicts';
export * from './errno';
export * from './errors';
export * from './explain';
export * from './facts';
export { lower } from './lower';
export type { RunVariables } from './lower/filesystem';
export { nearest } from './nearest';
export { type GroupName, type ListName, OPTIONS, type OptionRow, type Settings } from './options';
export { type Invocation, parseArguments, specFrom } from './parse';
export * from './plan';
export { RLIMITS } from './rlimits';
export { fileKeys } from './settings/keys';
export { mergeSettings } from './settings/merge';
export { type FoundSettings, type ReadSettings, readSettings } from './settings/read';
export { readSyntax, splitWords } from './settings/syntax';
export * from './signals';
export * from './spec';
export { CONSOLES, cleanHostname, OWNERSHIPS, type ValueKind } from './values';
export { RESOLV_CONF_MODES, TIMEZONE_MODES } from './values/host';
export { view } from './view';
export type * from './view/model';
export { nameFromPath } from './view/names';
export { boots, INIT_CANDIDATES } from './view/payload';
export { requirePrivileges } from './view/privileges';
