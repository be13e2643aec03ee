// Extended attributes on their way into an archive. Those that name users are put into the ids of the archive: file capabilities
// of a user namespace, and access control lists, which travel as text, as GNU tar and star read them.

import type { OwnerView } from './owners';

/** Linux's struct vfs_cap_data: revisions 2 (20 bytes) and 3, which adds the namespace's root (linux/capability.h). */
const REVISION_MASK = 0xff000000;
const REVISION_2 = 0x02000000;
const REVISION_3 = 0x03000000;
const SIZE_2 = 20;
const SIZE_3 = 24;

/** Of the host and its policy, not of the tree. */
const LEFT_OUT: ReadonlySet<string> = new Set(['security.selinux', 'security.evm', 'security.ima']);

const LISTS: Readonly<Record<string, string>> = {
  'system.posix_acl_access': 'SCHILY.acl.access',
  'system.posix_acl_default': 'SCHILY.acl.default',
};

/** The records of a pax header for the attributes of a file. */
export function recordsOf(
  attributes: ReadonlyArray<readonly [name: string, value: Buffer]>,
  owners: OwnerView,
): Array<readonly [key: string, value: Buffer]> {
  const records: Array<readonly [string, Buffer]> = [];
  for (const [name, value] of attributes) {
    if (LEFT_OUT.has(name) || owners.hides(name)) continue;
    const list = LISTS[name];
    if (list !== undefined) {
      const text = aclText(value, owners);
      if (text !== undefined) records.push([list, Buffer.from(text)]);
    } else if (!name.startsWith('system.')) {
      const kept = name === 'security.capability' ? capability(value, owners) : value;
      // An equals sign would end the key.
      if (kept !== undefined) records.push([`SCHILY.xattr.${name.replace(/%/g, '%25').replace(/=/g, '%3D')}`, kept]);
    }
  }
  return records.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A capability as it is for the root of the tree. Undefined for one of another namespace, which holds for nobody in it. */
function capability(value: Buffer, owners: OwnerView): Buffer | undefined {
  if (value.length !== SIZE_3) return value;
  const head = value.readUInt32LE(0);
  if ((head & REVISION_MASK) >>> 0 !== REVISION_3) return value;
  const root = value.readUInt32LE(SIZE_2);
  if (root !== owners.root) return undefined;
  const plain = Buffer.from(value.subarray(0, SIZE_2));
  plain.writeUInt32LE(((head & ~REVISION_MASK) | REVISION_2) >>> 0, 0);
  return plain;
}

/** Tags of an entry (linux/posix_acl_xattr.h), and whether its id counts. */
const TAGS: Readonly<Record<number, readonly [word: string, named: false | 'uid' | 'gid']>> = {
  1: ['user', false],
  2: ['user', 'uid'],
  4: ['group', false],
  8: ['group', 'gid'],
  16: ['mask', false],
  32: ['other', false],
};
const ACL_VERSION = 2;
const ENTRY = 8;

/** A list in the short text form, with numbers for names; undefined for what is none. */
function aclText(value: Buffer, owners: OwnerView): string | undefined {
  if (value.length < 4 || (value.length - 4) % ENTRY !== 0 || value.readUInt32LE(0) !== ACL_VERSION) return undefined;
  const entries: string[] = [];
  for (let at = 4; at < value.length; at += ENTRY) {
    const tag = TAGS[value.readUInt16LE(at)];
    if (tag === undefined) return undefined;
    const [word, named] = tag;
    const id = value.readUInt32LE(at + 4);
    const who = named === false ? '' : String(named === 'uid' ? owners.uid(id) : owners.gid(id));
    const permissions = value.readUInt16LE(at + 2);
    entries.push(`${word}:${who}:${[...'rwx'].map((bit, i) => (permissions & (4 >> i) ? bit : '-')).join('')}`);
  }
  return entries.join(',');
}
