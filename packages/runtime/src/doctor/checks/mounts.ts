// File systems that a guest gets, and what can lie on this one.

import { visibilityOf } from '@tsnspawn/core';
import { asRoot, installing, loosening } from '../mend';
import type { Check, DoctorFacts } from '../model';
import { exhausted, failed, list, NO_LAUNCH, reason, untried } from './words';

const devices: Check = {
  key: 'devices',
  question: 'can a guest have /dev',
  needed: true,
  look: (facts) => {
    const broken = failed(facts, 'devpts', ...(facts.ids.kind === 'root' ? [] : (['bindDevice'] as const)));
    const [first] = broken;
    if (first === undefined) return { answer: 'yes', detail: 'devpts, and the nodes of the host' };
    if (facts.trials[first] === undefined) return untried('mounts');
    const what = first === 'devpts' ? 'devpts' : 'the nodes of /dev cannot be bound';
    return {
      answer: 'no',
      detail: `${what}: ${reason(facts, first)}`,
      cost: NO_LAUNCH,
      mend: loosening(facts),
    };
  },
};

const sysfs: Check = {
  key: 'sysfs',
  question: 'can a guest with its own network have its own /sys',
  look: (facts) => {
    if (facts.trials.network === undefined) return untried('mounts');
    if (failed(facts, 'sysfs', 'network').length === 0) return { answer: 'yes', detail: 'network namespace, sysfs' };
    const cost = '--private-network and what goes with it is refused; with the host’s network all works';
    if (facts.trials.network === 'ENOSPC') return { answer: 'no', cost, ...exhausted(facts, 'net') };
    if (facts.trials.network !== 'OK') {
      return {
        answer: 'no',
        detail: `no network namespace: ${reason(facts, 'network')}`,
        cost,
        mend: loosening(facts),
      };
    }
    const { covers } = visibilityOf(facts.mounts, 'sysfs');
    if (covers.length === 0) return { answer: 'no', detail: `refused: ${reason(facts, 'sysfs')}`, cost };
    return {
      answer: 'no',
      detail: `refused while ${list(covers)} ${covers.length === 1 ? 'is' : 'are'} covered by other mounts`,
      cost,
      mend: [asRoot(facts, `umount ${covers.join(' ')}`)],
    };
  },
};

const mqueue: Check = {
  key: 'mqueue',
  question: 'can a guest have POSIX message queues',
  look: (facts) => {
    if (facts.trials.mqueue === 'OK') return { answer: 'yes', detail: 'mqueue' };
    if (facts.trials.mqueue === undefined) return untried('namespaces');
    return { answer: 'no', detail: reason(facts, 'mqueue'), cost: 'a guest has no /dev/mqueue' };
  },
};

/** What the kernel does not do, and what that costs. */
function overlayRefusal(facts: DoctorFacts, inMemory: boolean): readonly [refused: string, cost: string] {
  const { trials, place } = facts;
  if (trials.overlay !== 'OK') {
    return [`the kernel refuses: ${reason(facts, 'overlay')}`, '-x, --volatile=overlay and --overlay are refused'];
  }
  if (!inMemory) {
    return [
      'the kernel keeps no user.* attributes in memory (tmpfs before Linux 6.6)',
      'with a layer in memory (--volatile=overlay) a guest cannot make a directory where it has removed one',
    ];
  }
  return [
    `the kernel takes no writable layer on ${place.fs} here: ${reason(facts, 'overlayOnDisk')}`,
    'such layers can lie in memory only (--volatile=overlay)',
  ];
}

const overlay: Check = {
  key: 'overlay',
  question: 'can layers be laid over a tree (-x, --volatile=overlay, --overlay)',
  look: (facts) => {
    const { trials, place, programs, ids } = facts;
    if (trials.overlay === undefined) return untried('mounts');
    const inMemory = ids.kind === 'root' || trials.memoryAttributes === 'OK';
    if (trials.overlay === 'OK' && (trials.overlayOnDisk ?? 'OK') === 'OK' && inMemory) {
      const where =
        trials.overlayOnDisk === undefined
          ? 'in memory; not tried on the disk, in a directory that others can write to'
          : `in memory, and on ${place.fs} here`;
      return { answer: 'yes', detail: `by the kernel, the writable layer ${where}` };
    }
    const [refused, cost] = overlayRefusal(facts, inMemory);
    const answer = trials.overlay === 'OK' ? 'partly' : 'no';
    if (ids.kind === 'root') return { answer, detail: refused, cost };
    if (programs['fuse-overlayfs'] === undefined) {
      const detail = `${refused}; fuse-overlayfs is not installed`;
      return { answer, detail, cost, mend: installing(facts, 'fuse-overlayfs') };
    }
    if (trials.fuse !== 'OK') return { answer, detail: `${refused}; fuse-overlayfs has no FUSE here`, cost };
    return { answer: 'yes', detail: `by fuse-overlayfs where the kernel does not, which is slower; ${refused}` };
  },
};

const mappedOwners: Check = {
  key: 'mapped-owners',
  question: 'can mounts show other owners than the disk has',
  look: (facts) => {
    const { trials, place, ids } = facts;
    if (trials.mappedOwners === 'OK') return { answer: 'yes', detail: `also of ${place.fs} here` };
    if (trials.mappedOwners === undefined) return untried('namespaces');
    const cost =
      ids.kind === 'root'
        ? '-U shifts the owners of the whole tree instead'
        : 'binds keep the owners that the files have (no :idmap)';
    const answer = trials.mappedOwnersInMemory === 'OK' ? 'partly' : 'no';
    const where = answer === 'partly' ? 'only of what was mounted in the namespace itself' : 'nowhere';
    return { answer, detail: `${where}; of ${place.fs} here: ${reason(facts, 'mappedOwners')}`, cost };
  },
};

const fuse: Check = {
  key: 'fuse',
  question: 'can FUSE file systems be mounted',
  look: (facts) => {
    const { trials } = facts;
    if (trials.fuse === 'OK') return { answer: 'yes', detail: '/dev/fuse, mounted' };
    if (trials.fuseDevice === undefined) return untried('mounts');
    const cost = 'no FUSE in a guest';
    if (trials.fuseDevice === 'OK')
      return { answer: 'no', detail: `the kernel refuses: ${reason(facts, 'fuse')}`, cost };
    if (trials.fuseDevice === 'ENOENT') {
      return {
        answer: 'no',
        detail: 'there is no /dev/fuse',
        cost,
        mend: deviceMend(facts.container) ?? [asRoot(facts, 'modprobe fuse')],
      };
    }
    const mend = trials.fuseDevice === 'EACCES' ? [asRoot(facts, 'chmod 666 /dev/fuse')] : [];
    return { answer: 'no', detail: `/dev/fuse cannot be opened: ${reason(facts, 'fuseDevice')}`, cost, mend };
  },
};

function deviceMend(container: string | undefined): string[] | undefined {
  return container === 'docker' || container === 'podman' ? [`${container} run --device /dev/fuse ...`] : undefined;
}

const attributes: Check = {
  key: 'attributes',
  question: 'can owners be remembered on this file system',
  look: (facts) => {
    const { trials, place, ids } = facts;
    if (ids.kind === 'root') return undefined;
    if (trials.attributes === 'OK') return { answer: 'yes', detail: `user.* attributes on ${place.fs}` };
    if (trials.write !== 'OK')
      return { answer: 'partly', detail: `nothing can be written to ${place.path}: ${reason(facts, 'write')}` };
    return {
      answer: 'no',
      detail: `no user.* attributes on ${place.fs}: ${reason(facts, 'attributes')}`,
      cost: 'no tree with remembered owners (of a caller with one id) can lie here; ext4, xfs, btrfs have them, tmpfs from Linux 6.6 on',
    };
  },
};

export const MOUNTS: readonly Check[] = [devices, sysfs, mqueue, overlay, mappedOwners, fuse, attributes];
