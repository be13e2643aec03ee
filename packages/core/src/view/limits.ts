// Resource limits of the payload: those the kernel gives to the host's own PID 1, not the caller's, so that a guest behaves
// the same from whichever shell or service it is started.

import { PermissionError, UnsupportedError } from '../errors';
import type { HostFacts, Rlimit } from '../facts';
import type { RlimitName } from '../plan';
import { exceeds, smaller } from '../rlimits';
import type { ContainerSpec } from '../spec';
import type { LimitView, UsersView } from './model';
import { mayRaiseLimits } from './privileges';

const KIB = 1024;
const MIB = 1024 * KIB;

/** INIT_RLIMITS of the kernel (include/asm-generic/resource.h) with the NOFILE and MEMLOCK that systemd sets for PID 1. */
const DEFAULTS = {
  AS: { soft: 'infinity', hard: 'infinity' },
  CORE: { soft: 0, hard: 'infinity' },
  CPU: { soft: 'infinity', hard: 'infinity' },
  DATA: { soft: 'infinity', hard: 'infinity' },
  FSIZE: { soft: 'infinity', hard: 'infinity' },
  LOCKS: { soft: 'infinity', hard: 'infinity' },
  MEMLOCK: { soft: 8 * MIB, hard: 8 * MIB },
  MSGQUEUE: { soft: 800 * KIB, hard: 800 * KIB },
  NICE: { soft: 0, hard: 0 },
  NOFILE: { soft: 1024, hard: 512 * KIB },
  RSS: { soft: 'infinity', hard: 'infinity' },
  RTPRIO: { soft: 0, hard: 0 },
  RTTIME: { soft: 'infinity', hard: 'infinity' },
  STACK: { soft: 8 * MIB, hard: 'infinity' },
} as const satisfies { readonly [name in RlimitName]?: Rlimit };

/** What launcher and monitor have open at once, with room for the sources of mounts. */
const DESCRIPTORS = 128;

/**
 * With one id the limit LOCKS, which means nothing to the kernel, carries the emulated users from process to process.
 * @throws UnsupportedError where it cannot
 */
export function requireTokens(limits: readonly LimitView[], users: UsersView | undefined): void {
  const locks = limits.find(({ name }) => name === 'LOCKS');
  if (users?.size !== 1 || locks === undefined || (locks.soft === 'infinity' && locks.hard === 'infinity')) return;
  throw new UnsupportedError('the limit LOCKS has to be infinite in a container with one id', {
    option: '--rlimit',
    hint: 'no Linux since 2.4.25 heeds it: leave --rlimit=LOCKS= out, or raise your own (ulimit -Hx)',
  });
}

/** @throws PermissionError where a launch would end somewhere in its middle, for want of descriptors */
export function requireDescriptors(host: HostFacts): void {
  const { NOFILE = 'infinity' } = host.hardLimits;
  if (!exceeds(DESCRIPTORS, NOFILE)) return;
  throw new PermissionError(`the limit of ${NOFILE} open files is too small for a launch: ${DESCRIPTORS} are needed`, {
    hint: 'raise the hard limit, RLIMIT_NOFILE: ulimit -n 1024',
  });
}

/**
 * All limits in the order of their names. Without CAP_SYS_RESOURCE a hard limit cannot be raised: a default is then lowered
 * to what the caller has. NPROC and SIGPENDING depend on the host's memory and are left alone where its PID 1 cannot be read.
 *
 * @throws PermissionError for a limit above the caller's that was asked for by name
 */
export function limitsOf(spec: ContainerSpec, host: HostFacts): LimitView[] {
  const table: { readonly [name in RlimitName]?: Rlimit | undefined } = { ...DEFAULTS, ...host.initLimits };
  const names = [...new Set([...Object.keys(table), ...Object.keys(spec.rlimits)])].sort() as RlimitName[];
  const raise = mayRaiseLimits(host);
  return names.flatMap((name) => {
    const bound = raise ? 'infinity' : (host.hardLimits[name] ?? 'infinity');
    const asked = spec.rlimits[name];
    if (asked !== undefined) {
      if (exceeds(asked.hard, bound)) {
        throw new PermissionError(
          `--rlimit=${name}=${asked.soft}:${asked.hard} cannot be given: the hard limit is ${bound}`,
          {
            option: '--rlimit',
            hint: 'CAP_SYS_RESOURCE is needed',
          },
        );
      }
      return [{ name, ...asked, exact: true }];
    }
    const limit = table[name];
    return limit === undefined ? [] : [{ name, soft: smaller(limit.soft, bound), hard: smaller(limit.hard, bound) }];
  });
}
