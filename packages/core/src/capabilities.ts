// Capability names (capabilities(7)): lower case, without CAP_, in the order of their bits in linux/capability.h.

import { parseInteger } from './values/quantities';

/** Every capability up to Linux 5.9, which brought the last one; index = bit number. */
export const CAPABILITIES = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_admin',
  'net_raw',
  'ipc_lock',
  'ipc_owner',
  'sys_module',
  'sys_rawio',
  'sys_chroot',
  'sys_ptrace',
  'sys_pacct',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_time',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
  'mac_override',
  'mac_admin',
  'syslog',
  'wake_alarm',
  'block_suspend',
  'audit_read',
  'perfmon',
  'bpf',
  'checkpoint_restore',
] as const;

export type Capability = (typeof CAPABILITIES)[number];

/** What a guest keeps when nothing else is said: mask 0xfdecafff less what only an unshared network makes safe (NET_ADMIN). */
export const DEFAULT_CAPABILITIES = [
  'chown',
  'dac_override',
  'dac_read_search',
  'fowner',
  'fsetid',
  'kill',
  'setgid',
  'setuid',
  'setpcap',
  'linux_immutable',
  'net_bind_service',
  'net_broadcast',
  'net_raw',
  'ipc_owner',
  'sys_chroot',
  'sys_ptrace',
  'sys_admin',
  'sys_boot',
  'sys_nice',
  'sys_resource',
  'sys_tty_config',
  'mknod',
  'lease',
  'audit_write',
  'audit_control',
  'setfcap',
] as const satisfies readonly Capability[];

/** `CAP_NET_ADMIN`, `net_admin`, `12` → `net_admin`; undefined when there is no such capability. */
export function capabilityName(text: string): Capability | undefined {
  const number = parseInteger(text);
  if (number !== undefined) return CAPABILITIES[number];
  const name = text.toLowerCase().replace(/^cap_/, '');
  return CAPABILITIES.find((capability) => capability === name);
}
