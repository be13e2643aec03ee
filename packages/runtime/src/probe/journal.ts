// Where the journals of the host and of a guest may meet.

import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type ContainerSpec, JOURNALS, type JournalFacts, type TreeFacts } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/**
 * What --link-journal has to know, or undefined where there is nothing to join.
 * @param id machine id of the guest, 32 hexadecimal digits; undefined where it is made for this run alone
 * @param fresh the id in that case
 */
export function probeJournal(spec: ContainerSpec, tree: TreeFacts, fresh: string): JournalFacts | undefined {
  const { mode } = spec.linkJournal;
  const known = tree.machineId ?? spec.uuid;
  if (mode === 'no' || spec.ephemeral || (mode === 'auto' && known === undefined)) return undefined;
  const id = (known ?? fresh).replaceAll('-', '');
  const place = placeOf(`${JOURNALS}/${id}`);
  if (mode === 'auto' && place !== 'directory' && place !== 'empty') return undefined;
  const same = addon().readText('/etc/machine-id')?.trim() === id;
  return { id, same, place, ...(mode === 'guest' && tree.image === undefined ? { inTree: inTree(tree, id) } : {}) };
}

function placeOf(path: string): JournalFacts['place'] {
  const status = lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return lstatSync(JOURNALS, { throwIfNoEntry: false }) === undefined ? 'unkept' : 'missing';
  if (status.isSymbolicLink()) return 'link';
  if (!status.isDirectory()) return 'other';
  if (addon().readText('/proc/self/mountinfo')?.includes(` ${path} `) === true) return 'mount';
  return readdirSync(path).length === 0 ? 'empty' : 'directory';
}

/** The guest's place for it, by way of the links that the tree has now: a link on the host would follow them on the host. */
function inTree({ path }: TreeFacts, id: string): string | undefined {
  const tree = addon().openTree(path);
  if (typeof tree === 'number') return undefined;
  try {
    const parts = [...JOURNALS.split('/').slice(1), id];
    for (let known = parts.length; known > 0; known -= 1) {
      const found = addon().resolveInTree(tree.fd, `/${parts.slice(0, known).join('/')}`);
      if (found !== undefined) return join(path, found, ...parts.slice(known));
    }
    return join(path, ...parts);
  } finally {
    addon().closeFd(tree.fd);
  }
}
