// What this process runs in, by the marks that the usual container managers leave.

import { existsSync, readlinkSync, statSync } from 'node:fs';
import type { Mount } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import type { ContainerKind } from './model';

/** What can be seen of a container from inside. */
export interface ContainerMarks {
  /** content of /run/host/container-manager, by which systemd-nspawn and this program call themselves */
  readonly manager?: string | undefined;
  /** $container, or content of /run/systemd/container: systemd's container interface */
  readonly variable?: string | undefined;
  readonly dockerFile: boolean;
  readonly podmanFile: boolean;
  readonly lxcFile: boolean;
  /** $KUBERNETES_SERVICE_HOST is set */
  readonly kubernetes: boolean;
  /** /proc/sys/kernel/osrelease */
  readonly kernel: string;
}

/** The outermost of several is not told; the innermost is what one can change from where one is. */
export function containerOf(marks: ContainerMarks): ContainerKind | undefined {
  const { manager = '', variable = '' } = marks;
  const name = manager || variable;
  if (marks.kubernetes) return 'kubernetes';
  if (name === 'tsnspawn' || name === 'systemd-nspawn') return name;
  if (name.startsWith('lxc') || marks.lxcFile) return 'lxc';
  if (name === 'podman' || marks.podmanFile) return 'podman';
  if (name === 'docker' || marks.dockerFile) return 'docker';
  if (name !== '' && name !== 'wsl') return 'another container';
  return /microsoft|wsl/i.test(marks.kernel) ? 'wsl' : undefined;
}

/** Looks for the marks. */
export function containerMarks(): ContainerMarks {
  const text = (path: string): string | undefined => addon().readText(path)?.trim();
  return {
    manager: text('/run/host/container-manager'),
    variable: process.env.container ?? text('/run/systemd/container'),
    dockerFile: existsSync('/.dockerenv'),
    podmanFile: existsSync('/run/.containerenv'),
    lxcFile: existsSync('/dev/lxd/sock') || existsSync('/dev/.lxc'),
    kubernetes: process.env.KUBERNETES_SERVICE_HOST !== undefined,
    kernel: text('/proc/sys/kernel/osrelease') ?? '',
  };
}

/** Whether this process is in a chroot(2), where the kernel makes no user namespaces. */
export function isChrooted(mounts: readonly Mount[]): boolean {
  if (!mounts.some(({ path }) => path === '/')) return true;
  try {
    // a container that shares the host's processes has another root and is none
    if (readlinkSync('/proc/self/ns/mnt') !== readlinkSync('/proc/1/ns/mnt')) return false;
    const [own, init] = [statSync('/'), statSync('/proc/1/root/.')];
    return own.dev !== init.dev || own.ino !== init.ino;
  } catch {
    return false; // who may not look there has no way to tell
  }
}
