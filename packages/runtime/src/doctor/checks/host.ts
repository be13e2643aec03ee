// What else of the host a launch makes use of: system calls, cgroups, systemd, programs.

import { asRoot, installing, loosening, sysctl } from '../mend';
import type { Check, DoctorFacts } from '../model';
import { exhausted, failed, reason, suspects, untried } from './words';

const systemCalls: Check = {
  key: 'system-calls',
  question: 'has the kernel the newer system calls',
  look: (facts) => {
    const broken = failed(facts, 'openat2', 'clone3', 'pidfd');
    const [first] = broken;
    if (first === undefined) return { answer: 'yes', detail: 'openat2, clone3, pidfd_open' };
    const cost = broken.includes('pidfd')
      ? 'ports (-p) are refused, and no machine is registered with systemd-machined'
      : 'older calls take their place';
    return { answer: 'partly', detail: `without ${broken.join(', ')}: ${reason(facts, first)}`, cost };
  },
};

const memoryFiles: Check = {
  key: 'memory-files',
  question: 'can the runner be executed from memory',
  look: (facts) => {
    if (facts.trials.memoryFile === 'OK') return { answer: 'yes', detail: 'memfd_create, executed' };
    const noexec = facts.sysctl['vm/memfd_noexec'];
    const cost = 'a file in /tmp takes its place, where programs can be executed';
    if (noexec === '2') {
      return { answer: 'partly', detail: 'vm.memfd_noexec is 2', cost, mend: [sysctl(facts, 'vm.memfd_noexec', 1)] };
    }
    return { answer: 'partly', detail: reason(facts, 'memoryFile'), cost };
  },
};

const notification: Check = {
  key: 'notification',
  question: 'can owners be emulated (seccomp user notification)',
  look: (facts) => {
    if (facts.ids.kind === 'root') return undefined;
    const [first] = failed(facts, 'notification', 'peek');
    if (first === undefined) return { answer: 'yes', detail: 'a filter with a listener, tried' };
    const cost = 'a guest with one id, and trees with remembered owners, are refused';
    if (first === 'peek') {
      return {
        answer: 'no',
        detail: `memory of a child cannot be read: ${reason(facts, first)}`,
        cost,
        mend: loosening(facts),
      };
    }
    const detail =
      facts.trials.notification === 'EBUSY'
        ? 'a listener is there already, and there can be one only: the caller is itself in a guest that is emulated so'
        : `${reason(facts, first)}: ${suspects(facts)}`;
    return {
      answer: 'no',
      detail,
      cost,
      mend: facts.trials.notification === 'EBUSY' ? [] : loosening(facts),
    };
  },
};

const tracing: Check = {
  key: 'tracing',
  question: 'can processes be traced (the engine ptrace)',
  look: (facts) => {
    if (facts.trials.tracing === 'OK') return { answer: 'yes', detail: 'a child, tried' };
    return {
      answer: 'no',
      detail: `${reason(facts, 'tracing')}: ${suspects(facts)}`,
      cost: 'where there are no namespaces nothing can be started',
      mend: loosening(facts),
    };
  },
};

const NO_CGROUP = 'a guest with systemd does not boot, and limits (--property) are refused; others boot without';

const cgroup: Check = {
  key: 'cgroup',
  question: 'is a cgroup writable',
  look: (facts) => {
    const { cgroup, systemd, trials, caller } = facts;
    if (trials.cgroups === undefined) return untried('mounts');
    const namespace = trials.cgroups === 'OK' ? '' : `; no cgroup namespace: ${reason(facts, 'cgroups')}`;
    if (cgroup.refusal === undefined && namespace === '') {
      const has = cgroup.controllers.length === 0 ? 'no controllers' : cgroup.controllers.join(' ');
      if (cgroup.version === 1) return { answer: 'yes', detail: `${cgroup.path} (legacy)` };
      if (trials.cgroup2 !== undefined && trials.cgroup2 !== 'OK') {
        return {
          answer: 'no',
          detail: `${cgroup.path}, but cgroup2 cannot be mounted: ${reason(facts, 'cgroup2')}`,
          cost: NO_CGROUP,
          mend: loosening(facts),
        };
      }
      const limits = ['cpu', 'memory', 'pids'].filter((name) => !cgroup.controllers.includes(name));
      if (limits.length === 0 || facts.ids.kind === 'root') return { answer: 'yes', detail: `${cgroup.path} (${has})` };
      return {
        answer: 'partly',
        detail: `${cgroup.path} (${has}): without ${limits.join(', ')}`,
        cost: 'limits by these (--property) are refused',
        ...(systemd.booted ? { mend: delegation(facts) } : {}),
      };
    }
    if (cgroup.refusal === undefined && trials.cgroups === 'ENOSPC') {
      return { answer: 'no', cost: NO_CGROUP, ...exhausted(facts, 'cgroup') };
    }
    if (cgroup.refusal === undefined) return { answer: 'no', detail: `${cgroup.path}${namespace}`, cost: NO_CGROUP };
    const detail = `${cgroup.path ?? 'none'}: ${cgroup.refusal}${namespace}`;
    if (cgroup.anew === true && namespace === '') {
      return {
        answer: 'partly',
        detail: `${detail}; the cgroup is the caller’s, and is mounted anew for a guest with systemd`,
        cost: 'limits (--property) are refused',
      };
    }
    if (systemd.userManager === undefined && caller.uid !== 0 && namespace === '') {
      return { answer: 'yes', detail: `${detail}; the caller’s systemd makes a scope with one` };
    }
    return { answer: 'no', detail, cost: NO_CGROUP, mend: cgroupMend(facts) };
  },
};

function delegation(facts: DoctorFacts): string[] {
  const place = '/etc/systemd/system/user@.service.d';
  const text = `mkdir -p ${place} && printf "[Service]\\nDelegate=cpu cpuset io memory pids\\n" > ${place}/delegate.conf && systemctl daemon-reload`;
  return [asRoot(facts, `sh -c '${text}'`)];
}

function cgroupMend(facts: DoctorFacts): string[] {
  const { cgroup, systemd, container } = facts;
  if (systemd.booted) return [];
  if (cgroup.path === undefined) {
    return [asRoot(facts, 'sh -c "mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"')];
  }
  if (container === 'docker' || container === 'podman')
    return [`${container} run --cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw ...`];
  return cgroup.delegation === undefined ? [] : [cgroup.delegation];
}

const userManager: Check = {
  key: 'user-manager',
  question: 'does the caller’s systemd answer',
  look: (facts) => {
    const { systemd, caller, ids } = facts;
    if (ids.kind === 'root' || !systemd.booted) return undefined;
    if (systemd.userManager === undefined) return { answer: 'yes', detail: 'it does' };
    return {
      answer: 'no',
      detail: systemd.userManager,
      cost: 'no scope with a cgroup of its own for a guest',
      mend: [asRoot(facts, `loginctl enable-linger ${caller.name ?? caller.uid}`)],
    };
  },
};

const network: Check = {
  key: 'network',
  question: 'can a guest of an ordinary user have a network of its own',
  look: (facts) => {
    const { programs, trials, ids } = facts;
    if (ids.kind === 'root') return undefined;
    if (trials.network === undefined) return untried('mounts');
    const found = ['pasta', 'slirp4netns'].filter((name) => programs[name] !== undefined);
    const cost = '--network-veth and ports (-p) are refused; the host’s network is there';
    if (trials.network !== 'OK')
      return { answer: 'no', detail: `no network namespace: ${reason(facts, 'network')}`, cost };
    if (found.length === 0) {
      return {
        answer: 'partly',
        detail: 'loopback only: neither pasta nor slirp4netns is installed',
        cost,
        mend: installing(facts, 'pasta'),
      };
    }
    if (facts.tun === 'open') return { answer: 'yes', detail: found.join(', ') };
    return { answer: 'partly', detail: `loopback only: /dev/net/tun ${TUN[facts.tun]}`, cost, mend: tunMend(facts) };
  },
};

const TUN = { denied: 'cannot be opened', missing: 'is not there' } as const;

function tunMend(facts: DoctorFacts): string[] {
  const { container, tun } = facts;
  if (tun === 'denied') return [asRoot(facts, 'chmod 666 /dev/net/tun')];
  if (container === 'docker' || container === 'podman') return [`${container} run --device /dev/net/tun ...`];
  return [asRoot(facts, 'modprobe tun')];
}

export const HOST: readonly Check[] = [systemCalls, memoryFiles, notification, tracing, cgroup, userManager, network];
