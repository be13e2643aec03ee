// What can be typed as the value of an option, by the kind of its value.

import {
  CAPABILITIES,
  CONSOLES,
  OWNERSHIPS,
  RESOLV_CONF_MODES,
  RLIMITS,
  signalNames,
  TIMEZONE_MODES,
  type ValueKind,
} from '@tsnspawn/core';

/** Where the candidates for a word come from. */
export type Candidates =
  | {
      readonly from:
        | 'nothing'
        | 'files'
        | 'directories'
        | 'machines'
        | 'users'
        | 'groups'
        | 'interfaces'
        | 'namespaces';
    }
  /** a path of the tree that is started */
  | { readonly from: 'tree' }
  /** variables of the caller */
  | { readonly from: 'variables' }
  /** `SRC:DST`: a path of the host, then one of the tree; `options` may follow */
  | { readonly from: 'binds'; readonly options: readonly string[] }
  | { readonly from: 'words'; readonly words: readonly string[] }
  /** words between commas */
  | { readonly from: 'list'; readonly words: readonly string[] }
  /** words that end in a sign which a value follows: `NOFILE=` */
  | { readonly from: 'prefixes'; readonly words: readonly string[] };

const words = (...list: readonly string[]): Candidates => ({ from: 'words', words: list });
const prefixes = (...list: readonly string[]): Candidates => ({ from: 'prefixes', words: list });
const from = (kind: 'nothing' | 'files' | 'directories' | 'users' | 'groups' | 'interfaces' | 'namespaces') => ({
  from: kind,
});
const BOOLEAN = words('yes', 'no');
const CAPS = CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`);
const BIND_OPTIONS = ['rbind', 'norbind', 'idmap', 'noidmap', 'rootidmap', 'owneridmap'];

/** Every kind of value has its candidates here; `directories` of a path is decided by what the option calls its value. */
export const CANDIDATES: { readonly [kind in ValueKind]: Candidates } = {
  boolean: BOOLEAN,
  register: words('yes', 'no', 'auto'),
  settings: words('yes', 'no', 'override', 'trusted'),
  path: from('files'),
  chdir: { from: 'tree' },
  hostname: from('nothing'),
  uuid: from('nothing'),
  user: from('users'),
  userNames: from('users'),
  shell: words('yes', 'no'),
  env: { from: 'variables' },
  word: from('nothing'),
  signal: words(...signalNames()),
  console: words(...CONSOLES),
  sgr: words('40', '41', '42', '43', '44', '45', '46', '47'),
  bind: { from: 'binds', options: BIND_OPTIONS },
  bindReadOnly: { from: 'binds', options: BIND_OPTIONS },
  tmpfs: { from: 'tree' },
  overlay: { from: 'binds', options: [] },
  overlayReadOnly: { from: 'binds', options: [] },
  engine: words('auto', 'namespaces', 'ptrace'),
  fakeId: from('nothing'),
  kernelRelease: from('nothing'),
  emulator: from('files'),
  portMap: from('nothing'),
  shareHost: words('all', 'home', 'cwd', 'tmp', 'users', 'network', 'timezone', 'display'),
  inaccessible: { from: 'tree' },
  pivotRoot: { from: 'tree' },
  volatile: words('no', 'yes', 'state', 'overlay'),
  rootHash: from('nothing'),
  signature: from('files'),
  imagePolicy: words('*', '-', '~', 'root=', 'usr=', 'home=', 'srv=', 'var=', 'tmp=', 'esp=', 'xbootldr=', 'swap='),
  text: from('nothing'),
  privateUsers: words('no', 'yes', 'pick', 'identity', 'managed'),
  pickUsers: from('nothing'),
  ownership: words(...OWNERSHIPS),
  chownOwnership: from('nothing'),
  movedInterface: from('interfaces'),
  macvlan: from('interfaces'),
  ipvlan: from('interfaces'),
  vethExtra: from('nothing'),
  interfaceName: from('interfaces'),
  zone: from('nothing'),
  networkNamespace: from('namespaces'),
  port: prefixes('tcp:', 'udp:'),
  capabilities: { from: 'list', words: [...CAPS, 'all', 'help'] },
  ambientCapabilities: { from: 'list', words: [...CAPS, 'help'] },
  systemCallFilter: from('nothing'),
  rlimit: prefixes(...RLIMITS.map((name) => `${name}=`)),
  oomScore: from('nothing'),
  cpuAffinity: from('nothing'),
  personality: words('x86', 'x86-64'),
  resolvConf: words(...RESOLV_CONF_MODES),
  timezone: words(...TIMEZONE_MODES),
  linkJournal: words('no', 'host', 'try-host', 'guest', 'try-guest', 'auto'),
  setCredential: from('nothing'),
  loadCredential: from('nothing'),
  unitProperty: prefixes(
    'AllowedCPUs=',
    'CPUQuota=',
    'CPUWeight=',
    'IOWeight=',
    'MemoryHigh=',
    'MemoryMax=',
    'TasksMax=',
  ),
  slice: from('nothing'),
  proc: words('read-only', 'default'),
  dryRun: words('text', 'json'),
};
