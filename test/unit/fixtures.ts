// A host and trees to describe worlds with: what a root shell on an ordinary Debian gives.

import {
  CAPABILITIES,
  type ContainerSpec,
  type ContainerView,
  type HostFacts,
  type LaunchPlan,
  lower,
  type NetworkFacts,
  parseArguments,
  type Step,
  type TreeFacts,
  view,
} from '@tsnspawn/core';

export function host(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    euid: 0,
    caller: { uid: 0, gid: 0, name: 'root' },
    capabilities: { permitted: CAPABILITIES, bounding: CAPABILITIES },
    hardLimits: {},
    initLimits: { NPROC: { soft: 5000, hard: 5000 }, SIGPENDING: { soft: 6000, hard: 6000 } },
    cgroup: { kind: 'v2', unifiedMount: '/sys/fs/cgroup', unifiedPath: '/user.slice', v1: [] },
    stdinTty: true,
    stdoutTty: true,
    env: { TERM: 'xterm', HOME: '/home/me', SECRET: 'hidden' },
    cwd: '/home/me',
    osRelease: { id: 'debian', versionId: '12' },
    osReleasePath: '/usr/lib/os-release',
    architectures: ['x86_64', 'i686'],
    devices: {},
    runId: '0123456789abcdef',
    ...changes,
  };
}

/** A user who is not root, 1000, with 65536 subordinate ids. */
export function user(changes: Partial<HostFacts> = {}): HostFacts {
  const ranges = [
    { first: 0, size: 1 },
    { first: 1, size: 65535 },
  ];
  const ids = [
    { inside: 0, outside: 1000, size: 1 },
    { inside: 1, outside: 100000, size: 65535 },
  ];
  return host({
    euid: 1000,
    caller: { uid: 1000, gid: 1000, name: 'me' },
    capabilities: { permitted: [], bounding: CAPABILITIES },
    rootless: {
      size: 65536,
      uids: ranges,
      gids: ranges,
      maps: { uids: ids, gids: ids, programs: { uids: '/usr/bin/newuidmap', gids: '/usr/bin/newgidmap' } },
    },
    ...changes,
  });
}

/** One without subordinate ids. */
export function loneUser(changes: Partial<HostFacts> = {}): HostFacts {
  const first = [{ first: 0, size: 1 }];
  const self = [{ inside: 0, outside: 1000, size: 1 }];
  const maps = { uids: self, gids: self, denySetgroups: true };
  return user({ rootless: { size: 1, uids: first, gids: first, maps, reason: 'no subordinate ids' }, ...changes });
}

/** What a launch finds that asks for a network. */
export function network(changes: Partial<NetworkFacts> = {}): NetworkFacts {
  return {
    interfaces: ['lo', 'eth0', 'eth1', 'br0'],
    alternatives: { enp3s0: 'eth0' },
    machineId: '3d1219c7c4c5404aaa1f6d2a48adfda4',
    namespace: 'network',
    nft: '/usr/sbin/nft',
    ...changes,
  };
}

export function tree(changes: Partial<TreeFacts> = {}): TreeFacts {
  return {
    path: '/srv/debian-tree',
    identity: '1:2',
    isDirectory: true,
    hasUsr: true,
    osRelease: { id: 'debian' },
    init: 'systemd',
    systemdVersion: 252,
    writable: true,
    ...changes,
  };
}

/** The spec of a command line, given as its words; without the variables of a caller. */
export function spec(...argv: string[]): ContainerSpec {
  return specIn({}, ...argv);
}

export function specIn(env: { readonly [name: string]: string }, ...argv: string[]): ContainerSpec {
  const invocation = parseArguments(argv, env);
  if (invocation.kind !== 'launch') throw new Error(`not a launch: ${invocation.kind}`);
  return invocation.spec;
}

export function viewOf(argv: readonly string[], h: HostFacts = host(), t: TreeFacts = tree()): ContainerView {
  return view(spec(...argv), h, t);
}

export const RUN = { pid: 77, uuid: '11111111-2222-4333-8444-555555555555' };

export function planOf(argv: readonly string[], h: HostFacts = host(), t: TreeFacts = tree()): LaunchPlan {
  return lower(viewOf(argv, h, t), h, RUN);
}

/** The steps of one op, typed. */
export function stepsOf<O extends Step['op']>(steps: readonly Step[], op: O): Extract<Step, { op: O }>[] {
  return steps.filter((step): step is Extract<Step, { op: O }> => step.op === op);
}

/** The environment of the payload as an object. */
export function environmentOf(plan: LaunchPlan): { readonly [name: string]: string } {
  const [exec] = stepsOf(plan.inner, 'exec');
  return Object.fromEntries((exec?.env ?? []).map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
}
