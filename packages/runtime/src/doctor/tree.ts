// What the doctor says about a tree.

import { describeErrno, mountAt, TreeError } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { REMEMBERED } from '../probe/wishes';
import type { DoctorFacts, TreeReport } from './model';

/** Path without links, owner, and mark of a directory.
 *  @throws TreeError when there is none */
export function lookAtTree(
  directory: string,
): Pick<TreeReport, 'path' | 'owner' | 'remembers'> & { readOnly: boolean } {
  const opened = addon().openTree(directory);
  if (typeof opened === 'number') {
    const { name, text } = describeErrno(opened);
    throw new TreeError(`cannot open ${directory}: ${text}`, { code: name, path: directory });
  }
  try {
    const remembers = addon().extendedAttribute(opened.fd, REMEMBERED) !== undefined;
    const { path, uid, gid, readOnly } = opened;
    return { path, owner: { uid, gid }, remembers, readOnly };
  } finally {
    addon().closeFd(opened.fd);
  }
}

/** Whether a launch by this caller can work with it. */
export function judgeTree(tree: ReturnType<typeof lookAtTree>, facts: DoctorFacts): TreeReport {
  const { path, owner, remembers, readOnly } = tree;
  const fileSystem = mountAt(facts.mounts, path)?.fs ?? 'an unknown file system';
  const report = { path, owner, remembers, fileSystem, writable: !readOnly && facts.trials.write === 'OK' };
  return { ...report, ...verdict(report, facts) };
}

function verdict(
  { owner, remembers, fileSystem, writable }: Omit<TreeReport, 'answer' | 'detail'>,
  { ids, caller, trials }: DoctorFacts,
): Pick<TreeReport, 'answer' | 'detail' | 'mend'> {
  if (ids.kind === 'root') {
    if (remembers) return { answer: 'partly', detail: 'its owners are in attributes, which root does not look at' };
    return { answer: 'yes', detail: writable ? 'root may use it' : 'it can be read only: --read-only, or -x' };
  }
  if (remembers) {
    if (trials.attributes === 'OK' || !writable)
      return { answer: 'yes', detail: 'its owners are remembered in attributes' };
    return { answer: 'no', detail: `its owners are remembered in attributes, and ${fileSystem} here has none` };
  }
  if (owner.uid !== caller.uid && caller.capabilities.length === 0) {
    return {
      answer: 'no',
      detail: `it belongs to ${owner.uid}:${owner.gid}, who would be nobody in the guest`,
      mend: ['tsnspawn bootstrap SUITE DIR'],
    };
  }
  if (!writable) return { answer: 'partly', detail: 'it can be read only: --read-only, or --volatile' };
  if (ids.kind === 'single') {
    return {
      answer: 'partly',
      detail: 'it has no remembered owners: what the disk says belongs to root is root’s, all else is nobody’s',
    };
  }
  return { answer: 'yes', detail: 'its root belongs to the caller' };
}
