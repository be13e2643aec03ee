// --link-journal: the journal of the guest where the host's journalctl -m finds it, in the host's or in the guest's file system.

import { TsnspawnError } from '../errors';
import type { HostFacts } from '../facts';
import type { ContainerSpec } from '../spec';
import type { Entry, UsersView } from './model';
import { mapsOf } from './users';

const OPTION = '--link-journal';

/** Where the journals of all machines are, on every system. */
export const JOURNALS = '/var/log/journal';

interface Setting {
  readonly spec: ContainerSpec;
  readonly host: HostFacts;
  readonly users: UsersView | undefined;
  readonly writable: boolean;
  readonly warn: (text: string) => void;
}

/**
 * What joins the two.
 * @throws TsnspawnError where they cannot be joined and that was asked for by name; `try-` makes a warning of it, and nothing at all
 *   of a host that keeps no journal on the disk
 */
export function journalEntries({ spec, host, users, writable, warn }: Setting): Entry[] {
  const { journal } = host;
  const { mode, whereLinked } = spec.linkJournal;
  // the journal of a machine that leaves no traces leaves none either
  if (mode === 'no' || spec.ephemeral || journal === undefined) return [];
  const path = `${JOURNALS}/${journal.id}`;
  const may = whereLinked ? ({ try: true } as const) : {};
  const maps = users === undefined ? {} : mapsOf(users);
  const bound: Entry = { kind: 'host', path, source: path, recursive: false, flags: [], ...maps, ...may };
  const whose = users?.around === undefined ? undefined : "only root can show the container's journal as the host's";
  if (mode === 'auto') return journal.same || whose !== undefined ? [] : [bound];

  const reason = whose ?? refusal(mode, journal, writable);
  if (reason !== undefined) {
    const text = `${OPTION}=${whereLinked ? 'try-' : ''}${mode}: ${reason}`;
    if (!whereLinked)
      throw new TsnspawnError(text, { code: 'EJOURNAL', option: OPTION, hint: `${OPTION}=no does without` });
    if (journal.place !== 'unkept') warn(text);
    return [];
  }
  if (mode === 'host') return [{ ...bound, made: true }];
  return [
    { kind: 'hostLink', path, target: journal.inTree ?? '' },
    { kind: 'directory', path, mode: 0o755 },
  ];
}

function refusal(
  mode: 'host' | 'guest',
  { id, same, place, inTree }: NonNullable<HostFacts['journal']>,
  writable: boolean,
): string | undefined {
  const path = `${JOURNALS}/${id}`;
  if (same) return `host and container have the same machine id ${id}`;
  if (place === 'unkept') return `the host keeps no journal on the disk: there is no ${JOURNALS}`;
  if (place === 'mount') return `${path} of the host is a mount point`;
  if (place === 'other') return `${path} of the host is neither a directory nor a link`;
  if (mode === 'host') return undefined;
  if (place === 'directory') return `${path} of the host is a directory that is not empty`;
  if (inTree === undefined) return 'a link cannot lead into a disk image';
  return writable ? undefined : 'the tree is read-only';
}
