// A tree belongs to one machine that writes to it, or to any number that do not.

import { describeErrno, RANGE_LOCK, type Slot, TreeError, type TreeFacts } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import type { Held } from './held';

export interface LockOptions {
  readonly tree: Pick<TreeFacts, 'path' | 'identity'>;
  /** the tree is not written to: others may use it at the same time */
  readonly readOnly: boolean;
  /** false: the caller sees to it that nobody else uses the tree. Default true */
  readonly lock?: boolean;
  /** an image that the launch has opened and locked already */
  readonly held?: Held | undefined;
}

/** Lasts as long as any copy of its descriptors: the monitor has copies. */
export interface TreeLock {
  /** the tree, locked with flock(2) */
  readonly lockFd: number;
  /** systemd-nspawn's lock files */
  readonly lockFiles: readonly number[];
}

/**
 * Takes the lock of a tree, and those by which systemd-nspawn and machinectl see that it is in use.
 * @throws TreeError when somebody has the tree, or when it is not there any more
 */
export function takeLock({ tree: { path, identity }, readOnly, lock = true, held }: LockOptions): TreeLock {
  if (!lock) return { lockFd: held?.lockFd ?? openUnlocked(path, identity), lockFiles: [] };
  const exclusive = held === undefined ? !readOnly : !held.shared;
  const lockFd = held?.lockFd ?? addon().lockTree(path, exclusive, identity);
  if (lockFd < 0) throw cannotUse(path, lockFd);
  const lockFiles = addon().takeLockFiles(path, exclusive);
  if (typeof lockFiles !== 'number') return { lockFd, lockFiles };
  addon().closeFd(lockFd);
  throw cannotUse(path, lockFiles);
}

/** Gives a lock back that no monitor has taken over. */
export function releaseLock({ lockFd, lockFiles }: TreeLock): void {
  for (const file of lockFiles) addon().releaseLockFile(file);
  addon().closeFd(lockFd);
}

/** Gives back what was opened for the slots of a plan that is not carried out. */
export function letGo(handed: ReadonlyMap<Slot, number>): void {
  for (const [slot, fd] of handed) {
    if (slot === RANGE_LOCK) addon().releaseLockFile(fd);
    else addon().closeFd(fd);
  }
}

function openUnlocked(path: string, identity: string): number {
  const opened = addon().openTree(path);
  if (typeof opened === 'number') throw cannotUse(path, opened);
  if (opened.identity !== identity) throw cannotUse(path, -ESTALE);
  return opened.fd;
}

const ESTALE = 116;

function cannotUse(path: string, error: number): TreeError {
  const { name, text } = describeErrno(error);
  switch (name) {
    case 'EAGAIN':
      return new TreeError(`cannot use the tree ${path}: it is busy`, {
        code: 'EBUSY',
        path,
        hint: 'another machine runs in it; machines that share a tree need --read-only',
      });
    case 'ESTALE':
      return new TreeError(`cannot use the tree ${path}: it was replaced by another one meanwhile`, {
        code: name,
        path,
      });
    default:
      return new TreeError(`cannot open the tree ${path}: ${text}`, { code: name, path });
  }
}
