// Ordinary users who make trees, one of each kind for a test file, and a place to make one in.

import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { needs } from './needs';
import { OrdinaryUser, type UserOptions } from './users';

/** Why there can be no such tests here. */
export const REASON = needs('root', 'namespaces', 'mirror', 'command:newuidmap', 'command:setpriv');

/** What a bootstrap may take on a machine that has other things to do. */
export const SECONDS = { timeout: 200 };

const made = new Map<string, OrdinaryUser>();
function user(kind: string, options: UserOptions): OrdinaryUser {
  const known = made.get(kind) ?? new OrdinaryUser(options);
  made.set(kind, known);
  return known;
}

/** A user with subordinate ids. */
export const mapped = (): OrdinaryUser => user('mapped', {});
/** A user with one id. */
export const single = (): OrdinaryUser => user('single', { subordinate: false });

/** A directory of the user's for one test. */
export function place(user: OrdinaryUser): string {
  const path = mkdtempSync(join(user.home, 'place-'));
  execFileSync('chown', [`${user.uid}:${user.gid}`, path]);
  return path;
}
