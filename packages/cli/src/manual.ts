// What the manual says about each option: its row in the option table has a line, and a page has the room for more. None of it
// is part of the launch bundle. `code` stands in backticks, a variable part between asterisks, paragraphs are parted by an
// empty line.

import { OPTIONS, type OptionRow } from '@tsnspawn/core';
import { CONSOLE_MANUAL } from './manual/console';
import { ENGINE_MANUAL } from './manual/engine';
import { INTEGRATION_MANUAL } from './manual/integration';
import { MOUNTS_MANUAL } from './manual/mounts';
import { NETWORK_MANUAL } from './manual/network';
import { PAYLOAD_MANUAL } from './manual/payload';
import { PRIVILEGES_MANUAL } from './manual/privileges';
import { RESOURCES_MANUAL } from './manual/resources';
import { TREE_MANUAL } from './manual/tree';
import { USERS_MANUAL } from './manual/users';

/** By the long name of the option, or its letter where it has no other. */
export const MANUAL: { readonly [name: string]: string } = {
  ...TREE_MANUAL,
  ...PAYLOAD_MANUAL,
  ...ENGINE_MANUAL,
  ...USERS_MANUAL,
  ...MOUNTS_MANUAL,
  ...PRIVILEGES_MANUAL,
  ...RESOURCES_MANUAL,
  ...NETWORK_MANUAL,
  ...INTEGRATION_MANUAL,
  ...CONSOLE_MANUAL,
};

/** The name of a row's entry in the manual. */
export function entryName(row: OptionRow): string {
  return row.long ?? row.short ?? '';
}

/**
 * The paragraphs about an option.
 * @throws Error for an option that has no entry; a test sees to it that there is none
 */
export function paragraphs(row: OptionRow): readonly string[] {
  const text = MANUAL[entryName(row)];
  if (text === undefined) throw new Error(`the manual has no entry for ${entryName(row)}`);
  return text.trim().split(/\n\n+/);
}

/** The options of the manual: another spelling of one that is there has no entry of its own in lists. */
export const DOCUMENTED: readonly OptionRow[] = OPTIONS.filter(({ hidden }) => hidden !== true);
