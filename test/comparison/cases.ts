// All cases, in the order of the specification's sections.

import type { Case } from './case';
import { INTEGRATION_CASES, MANNERS_CASES, SETTINGS_CASES } from './cases/integration';
import { MOUNT_CASES } from './cases/mounts';
import { NETWORK_CASES } from './cases/network';
import { PAYLOAD_CASES } from './cases/payload';
import { PRIVILEGE_CASES } from './cases/privileges';
import { TREE_CASES } from './cases/tree';
import { CONSOLE_CASES, USER_CASES } from './cases/users';

export const CASES: readonly Case[] = [
  ...TREE_CASES,
  ...PAYLOAD_CASES,
  ...CONSOLE_CASES,
  ...USER_CASES,
  ...MOUNT_CASES,
  ...INTEGRATION_CASES,
  ...SETTINGS_CASES,
  ...PRIVILEGE_CASES,
  ...NETWORK_CASES,
  ...MANNERS_CASES,
];
