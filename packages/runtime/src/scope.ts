// The launcher's place on a host that systemd manages: a scope that it asks for, and a leaf in a cgroup that it has for itself.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CgroupError,
  type ContainerSpec,
  type HostFacts,
  type LaunchPlan,
  TsnspawnError,
  type UnitView,
} from '@tsnspawn/core';
import { debug } from './debug';
import { probeHost } from './probe/host';
import { probeResources } from './probe/resources';

/** Milliseconds that a bus may take to answer, and that systemd may take to do what it has promised. */
const PATIENCE = 10_000;
/** Milliseconds for a scope of the same name to go away: that of the machine before this one, which has just ended. */
const GOING = 2_000;

/**
 * Moves this process into a new scope; what it starts from now on is born there.
 *
 * @param userManager the runtime directory of the user whose systemd is asked for it
 * @throws TsnspawnError when systemd refuses, or does not answer in time
 */
export function enterScope(
  { name, manager, properties }: NonNullable<UnitView['scope']>,
  userManager: string | undefined,
): void {
  if (inScope(name)) return;
  const words = [['PIDs', 'au', '1', String(process.pid)], ...properties];
  const call = [
    // by its address: a session may have another bus, on which no systemd listens
    manager === 'system' ? '--system' : `--address=unix:path=${join(userManager ?? '', 'bus')}`,
    '--quiet',
    `--timeout=${PATIENCE / 1000}`,
    'call',
    'org.freedesktop.systemd1',
    '/org/freedesktop/systemd1',
    'org.freedesktop.systemd1.Manager',
    'StartTransientUnit',
    'ssa(sv)a(sa(sv))',
    name,
    'fail',
    String(words.length),
    ...words.flat(),
    '0',
  ];
  for (const start = Date.now(); ; pause(20)) {
    const refusal = busctl(call);
    if (refusal === undefined) break;
    const taken = /already (?:loaded|exists)/i.test(refusal); // UnitExists
    if (taken && Date.now() - start < GOING) continue;
    throw new TsnspawnError(`cannot make the scope ${name}: ${refusal}`, {
      code: taken ? 'EEXIST' : 'ESCOPE',
      hint: taken
        ? 'a machine of this name runs: give this one another with --machine'
        : '--keep-unit with --register=no does without systemd',
    });
  }
  // the answer only means that a job was queued
  for (const start = Date.now(); !inScope(name); pause(2)) {
    if (Date.now() - start > PATIENCE)
      throw new TsnspawnError(`systemd did not move the launcher into ${name}`, {
        code: 'ETIMEDOUT',
        hint: `see: systemctl ${manager === 'user' ? '--user ' : ''}status ${name}`,
      });
  }
}

/** What has changed with the unit that this process is in. */
export function probePlace(spec: ContainerSpec): Pick<HostFacts, 'cgroup' | 'resources'> {
  const host = probeHost();
  return { cgroup: host.cgroup, resources: probeResources(spec.properties, host) };
}

/** Whether this process is in the scope, or in a cgroup below it. */
export function inScope(name: string): boolean {
  return readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .some((line) => /^(?:0:|\d+:name=systemd):/.test(line) && `${line}/`.includes(`/${name}/`));
}

/**
 * Makes room in the launcher's own cgroup2: one that hands controllers down may have no processes.
 *
 * @throws CgroupError
 */
export function enterLeaf({ leaf }: LaunchPlan): void {
  if (leaf === undefined) return;
  try {
    mkdirSync(leaf, { recursive: true });
    writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid));
  } catch (error) {
    throw new CgroupError(`cannot move into the cgroup ${leaf}: ${(error as Error).message}`, { path: leaf });
  }
}

/** Why the call failed, or nothing. */
function busctl(args: readonly string[]): string | undefined {
  // a module that takes milliseconds to load: only a host with systemd needs it
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const { status, error, stderr } = spawnSync('/usr/bin/busctl', args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: PATIENCE + 2000,
    killSignal: 'SIGKILL',
  });
  debug('scope', 'busctl %o: %o %s', args, status, stderr);
  if (status === 0) return undefined;
  return stderr?.trim().replace(/^Call failed: /, '') || error?.message || `busctl ended with status ${status}`;
}

/** There is no event for it, and nothing else to do. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
