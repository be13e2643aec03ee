// What cannot be asked for together. All of it stands here, and is told before anything else is looked at: of two options that
// contradict each other none may be dropped in silence.

import { UsageError } from './errors';
import type { ContainerSpec, NetworkSpec } from './spec';

interface Conflict {
  /** the option that is refused */
  readonly option: string;
  /** why, from what the spec asks for; undefined when it does not */
  readonly found: (spec: ContainerSpec) => string | undefined;
  readonly hint?: string;
}

const CONFLICTS: readonly Conflict[] = [
  {
    option: '--image',
    found: ({ directory, image }) => both('--directory', directory, '--image', image),
  },
  {
    option: '--template',
    found: ({ template, image }) => both('--image', image, '--template', template),
    hint: 'a template is a directory, and so is what is made from it',
  },
  {
    option: '--template',
    found: ({ directory, ephemeral, template }) =>
      ephemeral && directory !== undefined ? both('--ephemeral', '', '--template', template) : undefined,
    hint: '--ephemeral on the template itself leaves it as it is',
  },
  {
    option: '--template',
    found: ({ directory, machine, template }) =>
      template !== undefined && directory === undefined && machine === undefined
        ? `--template=${template} needs --directory or --machine`
        : undefined,
    hint: 'they say where the tree is made',
  },
  {
    option: '--fake-id',
    found: ({ fakeId, user }) =>
      fakeId === undefined ? undefined : both('--user', user, '--fake-id', `${fakeId.uid}:${fakeId.gid}`),
    hint: 'both say who COMMAND is in the container',
  },
  {
    option: '--root-hash',
    found: (spec) => (spec.rootHash !== undefined ? withoutImage(spec, `--root-hash=${spec.rootHash}`) : undefined),
  },
  {
    option: '--root-hash-sig',
    found: (spec) =>
      spec.rootHashSignature !== undefined
        ? withoutImage(spec, `--root-hash-sig=${spec.rootHashSignature}`)
        : undefined,
  },
  {
    option: '--verity-data',
    found: (spec) =>
      spec.verityData !== undefined ? withoutImage(spec, `--verity-data=${spec.verityData}`) : undefined,
  },
  {
    option: '--image-policy',
    found: (spec) =>
      spec.imagePolicy !== undefined ? withoutImage(spec, `--image-policy=${spec.imagePolicy.text}`) : undefined,
  },
  {
    option: '--ambient-capability',
    found: ({ ambientCapabilities: names, start }) =>
      names.length > 0 && start === 'boot' ? `--boot and --ambient-capability=${names} exclude each other` : undefined,
    hint: 'an init has all capabilities of the container, and gives them to its services itself',
  },
  {
    option: '--system-call-filter',
    found: ({ seccomp, systemCallFilter: [rule] }) =>
      seccomp || rule === undefined
        ? undefined
        : withoutSeccomp(`--system-call-filter=${rule.deny ? '~' : ''}${rule.names.join(' ')}`),
    hint: 'unset SYSTEMD_SECCOMP',
  },
  {
    option: '--suppress-sync',
    found: ({ seccomp, suppressSync }) => (seccomp || !suppressSync ? undefined : withoutSeccomp('--suppress-sync')),
    hint: 'unset SYSTEMD_SECCOMP',
  },
  {
    option: '--private-users-ownership',
    found: ({ ownership, readOnly, volatile }) =>
      ownership === 'chown' && (readOnly || volatile !== 'no')
        ? `${readOnly ? '--read-only' : `--volatile=${volatile}`} and --private-users-ownership=chown exclude each other`
        : undefined,
    hint: '--private-users-ownership=map leaves the tree as it is',
  },
  {
    option: '--proc',
    found: ({ apiVfsWritable, procReadOnly }) =>
      apiVfsWritable !== false && procReadOnly
        ? `SYSTEMD_NSPAWN_API_VFS_WRITABLE=${apiVfsWritable === true ? 'yes' : apiVfsWritable} and --proc=read-only exclude each other`
        : undefined,
  },
  {
    option: '--bind-user',
    found: ({ bindUsers, users }) =>
      bindUsers.length > 0 && users.mode === 'no' ? `--bind-user=${bindUsers} needs a user namespace` : undefined,
    hint: 'add --private-users=pick',
  },
  {
    option: '--bind-user-shell',
    found: ({ bindUsers, bindUserShell }) =>
      bindUsers.length === 0 && bindUserShell !== false
        ? `--bind-user-shell=${bindUserShell === true ? 'yes' : bindUserShell} needs --bind-user`
        : undefined,
  },
  {
    option: '--bind-user-group',
    found: ({ bindUsers, bindUserGroups }) =>
      bindUsers.length === 0 && bindUserGroups.length > 0
        ? `--bind-user-group=${bindUserGroups} needs --bind-user`
        : undefined,
  },
  {
    option: '--link-journal',
    found: ({ ephemeral, linkJournal: { mode, whereLinked } }) =>
      ephemeral && !whereLinked && (mode === 'host' || mode === 'guest')
        ? `--ephemeral and --link-journal=${mode} exclude each other`
        : undefined,
    hint: `the journal would outlive its machine; --link-journal=no`,
  },
  {
    option: '--set-credential',
    found: ({ credentials }) => {
      const twice = repeated(credentials.map(({ id }) => id));
      return twice === undefined ? undefined : `the credential ${twice} is given twice`;
    },
  },
  {
    option: '--network-zone',
    found: ({ network: { bridge, zone } }) => both('--network-bridge', bridge, '--network-zone', zone),
  },
  {
    option: '--network-namespace-path',
    found: ({ network }) => {
      const other = network.namespacePath === undefined ? undefined : madeInterface(network);
      return other === undefined
        ? undefined
        : `--network-namespace-path=${network.namespacePath} and ${other} exclude each other`;
    },
    hint: 'what is in an existing network namespace is the affair of those who made it',
  },
  {
    option: '--port',
    found: ({ network: { ports, private: isPrivate } }) => {
      const [first] = ports;
      return first === undefined || isPrivate
        ? undefined
        : `--port=${first.protocol}:${first.host}:${first.guest} needs a network of the container's own`;
    },
    hint: 'add --network-veth',
  },
  {
    option: '--port',
    found: ({ network: { ports } }) => {
      const twice = repeated(ports.map(({ protocol, host }) => `${protocol}:${host}`));
      return twice === undefined ? undefined : `the port ${twice} of the host is given twice`;
    },
  },
];

/**
 * Refuses a spec that contradicts itself.
 * @throws UsageError that names both options and their values
 */
export function refuseConflicts(spec: ContainerSpec): void {
  for (const { option, found, hint } of CONFLICTS) {
    const message = found(spec);
    if (message !== undefined) throw new UsageError(message, { option, ...(hint === undefined ? {} : { hint }) });
  }
}

/** The one conflict that a spec cannot hold, because it has one field for both. */
export function refuseTwoStarts(boot: boolean, asPid2: boolean): void {
  if (!boot || !asPid2) return;
  throw new UsageError('--boot and --as-pid2 exclude each other', {
    option: '--as-pid2',
    hint: 'an init wants to be PID 1',
  });
}

function withoutSeccomp(option: string): string {
  return `${option} is done by a system call filter, and SYSTEMD_SECCOMP=0 loads none`;
}

/** Options with values, or with the empty string for one that has none. */
function both(
  first: string,
  firstValue: string | undefined,
  second: string,
  secondValue: string | undefined,
): string | undefined {
  if (firstValue === undefined || secondValue === undefined) return undefined;
  const words = (option: string, value: string): string => (value === '' ? option : `${option}=${value}`);
  return `${words(first, firstValue)} and ${words(second, secondValue)} exclude each other`;
}

function withoutImage({ image }: ContainerSpec, asked: string): string | undefined {
  return image === undefined ? `${asked} needs --image: only a disk image has verity data` : undefined;
}

/** The first option that would make an interface. */
function madeInterface(network: NetworkSpec): string | undefined {
  const { bridge, zone, veth, vethExtra, macvlan, ipvlan, interfaces } = network;
  if (bridge !== undefined) return `--network-bridge=${bridge}`;
  if (zone !== undefined) return `--network-zone=${zone}`;
  if (veth) return '--network-veth';
  for (const [option, pairs] of [
    ['--network-veth-extra', vethExtra],
    ['--network-macvlan', macvlan],
    ['--network-ipvlan', ipvlan],
    ['--network-interface', interfaces],
  ] as const) {
    const [pair] = pairs;
    if (pair !== undefined) return `${option}=${pair.host}:${pair.guest}`;
  }
  return undefined;
}

function repeated(values: readonly string[]): string | undefined {
  return values.find((value, at) => values.indexOf(value) !== at);
}
