// How the container is made, where there is a choice, and who its root is to the kernel.

import { type OptionRow, SWITCH } from './row';

export const ENGINE_OPTIONS = [
  {
    long: 'engine',
    group: 'engine',
    takes: 'required',
    metavar: 'ENGINE',
    key: 'engine',
    value: 'engine',
    help: 'auto, namespaces, or ptrace: without any namespace, slower',
  },
  {
    long: 'fake-id',
    group: 'engine',
    takes: 'required',
    metavar: 'UID:GID',
    key: 'fakeId',
    value: 'fakeId',
    help: 'ids that COMMAND has in the container (engine ptrace)',
  },
  {
    long: 'fake-root',
    group: 'engine',
    ...SWITCH,
    key: 'fakeRoot',
    help: 'the same as --fake-id=0:0, and the default',
  },
  {
    long: 'share-host',
    group: 'engine',
    takes: 'optional',
    metavar: 'PART,...',
    implied: 'all',
    key: 'shareHost',
    value: 'shareHost',
    many: true,
    help: "work on the caller's things: home, cwd, tmp, users, network, timezone, display (all)",
  },
  {
    long: 'kernel-release',
    group: 'engine',
    takes: 'required',
    metavar: 'RELEASE',
    key: 'kernelRelease',
    value: 'kernelRelease',
    help: 'release of the kernel that uname(2) reports (engine ptrace)',
  },
] as const satisfies readonly OptionRow[];
