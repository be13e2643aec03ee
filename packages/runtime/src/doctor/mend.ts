// The commands that mend something, for this distribution, this container manager, this caller.

import type { DoctorFacts } from './model';

type Family = 'debian' | 'fedora' | 'arch' | 'alpine' | 'suse';

const INSTALL: { readonly [family in Family]: string } = {
  debian: 'apt install',
  fedora: 'dnf install',
  arch: 'pacman -S',
  alpine: 'apk add',
  suse: 'zypper install',
};

/** Packages by what is missing; the same name everywhere where there is one only. */
const PACKAGES = {
  newuidmap: { debian: 'uidmap', fedora: 'shadow-utils', arch: 'shadow', alpine: 'shadow-uidmap', suse: 'shadow' },
  'fuse-overlayfs': 'fuse-overlayfs',
  pasta: 'passt',
} as const;

function familyOf({ osRelease, programs }: DoctorFacts): Family | undefined {
  const ids = [osRelease.id ?? '', ...(osRelease.idLike ?? '').split(' ')];
  const is = (...names: readonly string[]): boolean => ids.some((id) => names.includes(id));
  if (is('debian', 'ubuntu') || programs['apt-get'] !== undefined) return 'debian';
  if (is('fedora', 'rhel', 'centos') || programs.dnf !== undefined) return 'fedora';
  if (is('arch') || programs.pacman !== undefined) return 'arch';
  if (is('alpine') || programs.apk !== undefined) return 'alpine';
  return is('suse', 'opensuse') || programs.zypper !== undefined ? 'suse' : undefined;
}

/** A command line that root has to type. */
export function asRoot({ caller }: DoctorFacts, command: string): string {
  return caller.uid === 0 ? command : `sudo ${command}`;
}

/** A file of /proc or /sys that only root may write. */
export function sysctl(facts: DoctorFacts, name: string, value: string | number): string {
  return asRoot(facts, `sysctl -w ${name}=${value}`);
}

/** The command that installs what is missing; nothing for a distribution that nobody has heard of. */
export function installing(facts: DoctorFacts, what: keyof typeof PACKAGES): string[] {
  const family = familyOf(facts);
  if (family === undefined) return [];
  const name = PACKAGES[what];
  return [asRoot(facts, `${INSTALL[family]} ${typeof name === 'string' ? name : name[family]}`)];
}

/** Gives the caller as many subordinate ids as a system needs. */
export function givingIds(facts: DoctorFacts): string[] {
  const { caller, ids, programs } = facts;
  const user = caller.name ?? String(caller.uid);
  const range = `${ids.free}-${ids.free + 65535}`;
  if (programs.usermod !== undefined && caller.name !== undefined) {
    return [asRoot(facts, `usermod --add-subuids ${range} --add-subgids ${range} ${user}`)];
  }
  return [`echo ${user}:${ids.free}:65536 | ${asRoot(facts, 'tee -a /etc/subuid /etc/subgid')}`];
}

/** Everything that these have to allow, in one command: who mends the one would meet the other next. */
const RUN = {
  docker:
    'docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined ...',
  podman: 'podman run --security-opt seccomp=unconfined --security-opt label=disable --security-opt unmask=ALL ...',
  kubernetes:
    'securityContext: {procMount: Unmasked, seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}}',
  lxc: 'lxc config set NAME security.nesting true',
  'systemd-nspawn': 'SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes systemd-nspawn ...',
  tsnspawn: 'SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes tsnspawn ...',
} as const;

/** How the container around must be started for it to allow what is forbidden; nothing outside of one. */
export function loosening({ container }: DoctorFacts): string[] {
  return container !== undefined && container in RUN ? [RUN[container as keyof typeof RUN]] : [];
}
