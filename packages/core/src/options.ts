// The option table: the one place where an option of the launch is written down. Parsing, settings files, --help, completion and
// the manual are made from these rows; what a value may be stands in values.ts under the name in `value`.

import { CONSOLE_OPTIONS } from './options/console';
import { ENGINE_OPTIONS } from './options/engine';
import { INTEGRATION_OPTIONS } from './options/integration';
import { MOUNTS_OPTIONS } from './options/mounts';
import { NETWORK_OPTIONS } from './options/network';
import { PAYLOAD_OPTIONS } from './options/payload';
import { PRIVILEGES_OPTIONS } from './options/privileges';
import { RESOURCES_OPTIONS } from './options/resources';
import type { OptionRow } from './options/row';
import { TREE_OPTIONS } from './options/tree';
import { USERS_OPTIONS } from './options/users';

export type { GroupName, ListName, OptionRow, Settings } from './options/row';

export const OPTIONS: readonly OptionRow[] = [
  ...TREE_OPTIONS,
  ...PAYLOAD_OPTIONS,
  ...ENGINE_OPTIONS,
  ...USERS_OPTIONS,
  ...MOUNTS_OPTIONS,
  ...PRIVILEGES_OPTIONS,
  ...RESOURCES_OPTIONS,
  ...NETWORK_OPTIONS,
  ...INTEGRATION_OPTIONS,
  ...CONSOLE_OPTIONS,
];
