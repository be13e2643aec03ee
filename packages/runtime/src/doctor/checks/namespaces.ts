// Namespaces: what may be made at all, and by which rule not.

import { visibilityOf } from '@tsnspawn/core';
import { asRoot, loosening, sysctl } from '../mend';
import type { Check, DoctorFacts, Finding } from '../model';
import { exhausted, failed, list, NO_LAUNCH, reason, suspects, untried } from './words';

const userNamespaces: Check = {
  key: 'user-namespaces',
  question: 'may the caller make user namespaces',
  needed: true,
  look: (facts) => {
    const { trials, ids } = facts;
    if (failed(facts, 'user', 'map').length === 0) return { answer: 'yes', detail: 'made one, with a map' };
    const found = trials.user === 'OK' ? unmapped(facts) : refused(facts);
    if (ids.kind !== 'root') return { answer: 'no', cost: NO_LAUNCH, ...found };
    return { answer: 'no', cost: '--private-users (-U) is refused', ...found };
  },
};

type Why = Pick<Finding, 'detail' | 'mend'>;

function unmapped(facts: DoctorFacts): Why {
  const { uid, capabilities } = facts.caller;
  if (uid === 0 && facts.trials.map === 'EPERM' && !capabilities.includes('setfcap')) {
    return { detail: 'made one, but root of the namespace around needs CAP_SETFCAP to be root in it', mend: [] };
  }
  return { detail: `made one, but its map cannot be written: ${reason(facts, 'map')}`, mend: [] };
}

/** Why the kernel made none: user_namespaces(7), and what distributions have added. */
function refused(facts: DoctorFacts): Why {
  const { trials, caller } = facts;
  switch (trials.user) {
    case 'ENOSPC':
    case 'EUSERS':
      return exhausted(facts, 'user', 'mnt', 'pid');
    case 'EINVAL':
      return { detail: 'this kernel has none (CONFIG_USER_NS)', mend: [] };
    case 'ENOSYS':
      return { detail: `unshare(2) is hidden: ${suspects(facts)}`, mend: loosening(facts) };
    case 'EPERM':
    case 'EACCES':
      if (caller.chrooted) return { detail: 'the caller is in a chroot, where the kernel makes none', mend: [] };
      if (facts.sysctl['kernel/unprivileged_userns_clone'] === '0') {
        const mend = [sysctl(facts, 'kernel.unprivileged_userns_clone', 1)];
        return { detail: 'kernel.unprivileged_userns_clone is 0', mend };
      }
      if (restrictsByProfile(facts))
        return { detail: 'AppArmor allows them to known programs only', mend: profile(facts) };
      return { detail: `${reason(facts, 'user')}: ${suspects(facts)}`, mend: loosening(facts) };
    default:
      return { detail: reason(facts, 'user'), mend: [] };
  }
}

function restrictsByProfile({ sysctl }: DoctorFacts): boolean {
  return sysctl['kernel/apparmor_restrict_unprivileged_userns'] === '1';
}

/** A profile that allows it to Node, and the switch that allows it to everything. */
function profile(facts: DoctorFacts): string[] {
  const { executable } = facts;
  const text = `abi <abi/4.0>, include <tunables/global> profile tsnspawn ${executable} flags=(unconfined) { userns, }`;
  return [
    `echo '${text}' | ${asRoot(facts, 'tee /etc/apparmor.d/tsnspawn')} && ${asRoot(facts, 'apparmor_parser -r /etc/apparmor.d/tsnspawn')}`,
    sysctl(facts, 'kernel.apparmor_restrict_unprivileged_userns', 0),
  ];
}

const mounts: Check = {
  key: 'mounts',
  question: 'may it mount in them',
  needed: true,
  look: (facts) => {
    const broken = failed(facts, 'mounts', 'tmpfs');
    const [first] = broken;
    if (first === undefined) return { answer: 'yes', detail: 'mount namespace, tmpfs' };
    if (facts.trials[first] === undefined) return untried('user namespaces');
    const why = reason(facts, first);
    const no = { answer: 'no', cost: NO_LAUNCH } as const;
    if (facts.ids.kind !== 'root' && restrictsByProfile(facts)) {
      return {
        ...no,
        detail: `${why}: AppArmor gives no capabilities in them to programs without a profile`,
        mend: profile(facts),
      };
    }
    if (facts.trials[first] === 'ENOSYS') return { ...no, detail: tooOld(facts, ['fsopen'], why) };
    if (facts.trials[first] === 'ENOSPC') {
      return { ...no, ...exhausted(facts, 'mnt') };
    }
    return { ...no, detail: `${why}: ${suspects(facts)}`, mend: loosening(facts) };
  },
};

/** Calls that are not there: the kernel has none, or a filter that is older than they are hides them. */
function tooOld({ caller, container }: DoctorFacts, calls: readonly string[], why: string): string {
  const filter = caller.filtered ? `, or a newer ${container ?? 'container manager'}` : '';
  return `${calls.join(', ')}: ${why}: Linux 5.12 or newer is needed${filter}`;
}

const mountApi: Check = {
  key: 'mount-api',
  question: 'has the kernel detached mounts',
  needed: true,
  look: (facts) => {
    const broken = failed(facts, 'openTree', 'newMount', 'mountAttributes', 'moveMount');
    const [first] = broken;
    if (first === undefined) return { answer: 'yes', detail: 'open_tree, fsopen, mount_setattr, move_mount' };
    if (facts.trials[first] === undefined) return untried('mounts');
    const why = reason(facts, first);
    const no = { answer: 'no', cost: NO_LAUNCH } as const;
    if (facts.trials[first] === 'ENOSYS') return { ...no, detail: tooOld(facts, broken, why) };
    return { ...no, detail: `${broken.join(', ')}: ${why}`, mend: loosening(facts) };
  },
};

const proc: Check = {
  key: 'proc',
  question: 'may a guest have its own processes and /proc',
  needed: true,
  look: (facts) => {
    const broken = failed(facts, 'processes', 'proc');
    const [first] = broken;
    if (first === undefined) return { answer: 'yes', detail: 'PID namespace, proc' };
    if (facts.trials[first] === undefined) return untried('mounts');
    const no = { answer: 'no', cost: NO_LAUNCH } as const;
    if (facts.trials.processes === 'ENOSPC') return { ...no, ...exhausted(facts, 'pid') };
    if (first === 'processes') {
      return { ...no, detail: `no PID namespace: ${reason(facts, first)}`, mend: loosening(facts) };
    }
    const { mounted, covers } = visibilityOf(facts.mounts, 'proc');
    if (!mounted) {
      return {
        ...no,
        detail: 'refused: there is none to be seen in full here',
        mend: [asRoot(facts, 'mount -t proc proc /proc')],
      };
    }
    if (covers.length === 0) return { ...no, detail: `refused: ${reason(facts, 'proc')}`, mend: loosening(facts) };
    const outside = loosening(facts);
    return {
      ...no,
      detail: `refused while ${list(covers)} ${covers.length === 1 ? 'is' : 'are'} covered by other mounts`,
      mend: outside.length > 0 ? outside : [asRoot(facts, `umount ${covers.join(' ')}`)],
    };
  },
};

const others: Check = {
  key: 'namespaces',
  question: 'may a guest have its own host name, IPC and users',
  needed: true,
  look: (facts) => {
    const wanted = ['hostname', 'ipc', ...(facts.ids.kind === 'root' ? [] : (['nested'] as const))] as const;
    const broken = failed(facts, ...wanted);
    const [first] = broken;
    if (first === undefined) return { answer: 'yes', detail: 'UTS, IPC and user namespaces' };
    if (facts.trials[first] === undefined) return untried('mounts');
    const no = { answer: 'no', cost: NO_LAUNCH } as const;
    if (facts.trials[first] === 'ENOSPC') return { ...no, ...exhausted(facts, 'user', 'uts', 'ipc') };
    return { ...no, detail: `${list(broken)}: ${reason(facts, first)}`, mend: loosening(facts) };
  },
};

const reboot: Check = {
  key: 'reboot',
  question: 'is reboot(2) that of the guest alone',
  needed: true,
  look: (facts) => {
    switch (facts.trials.reboot) {
      case 'OK':
        return { answer: 'yes', detail: 'refused what would be the host’s' };
      case undefined:
        return untried('proc');
      case 'EINVAL':
        return { answer: 'no', detail: 'it would reboot the host (Linux before 3.4)', cost: NO_LAUNCH };
      default:
        // root of the guest may not call it at all
        return {
          answer: 'partly',
          detail: reason(facts, 'reboot'),
          cost: 'a guest cannot power off or reboot by itself',
        };
    }
  },
};

export const NAMESPACES: readonly Check[] = [userNamespaces, mounts, mountApi, proc, others, reboot];
