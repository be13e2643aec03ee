// Everything that must run inside the tree, as one shell script: preinst scripts (whose packages are unpacked already) and
// dpkg --configure in rounds. One script, because each start of a container costs more than most of the scripts in it.
//
// The essential packages are configured before any script of the others runs, which is what those may rely on. After that a
// package's preinst waits only for what it pre-depends on.
import type { Package } from '../apt/packages';
import type { ControlFiles } from '../archive/deb';
import { BootstrapError } from '../errors';
import type { GuestRunner } from '../guest';
import { databaseName } from './database';
import type { Unpacked } from './unpack';

/** One act inside the tree. */
export type Step =
  | { readonly do: 'preinst'; readonly package: Package }
  | { readonly do: 'unpack'; readonly package: Package }
  | { readonly do: 'configure'; readonly packages: readonly Package[] | 'all' };

/** Where the .deb files of packages that dpkg unpacks itself are put for that time. */
export const ARCHIVES = 'var/cache/apt/archives';

/** A package that diverts other packages' files while it is unpacked: only dpkg itself can do that in the right order. */
export function divertsOnUnpack(control: ControlFiles): boolean {
  const script = control.get('preinst')?.content.toString('latin1') ?? '';
  return /dpkg-divert[^\n]*(--add|--rename|--divert)/.test(script.replace(/\\\n/g, ' '));
}

/** The steps that take unpacked packages to configured ones. */
export function planSteps(
  essential: readonly Unpacked[],
  others: readonly Unpacked[],
  handedOver: ReadonlySet<Package>,
): Step[] {
  const steps: Step[] = [];
  for (const { package: one, control } of essential)
    if (control.has('preinst')) steps.push({ do: 'preinst', package: one });
  if (essential.length > 0) steps.push({ do: 'configure', packages: essential.map((one) => one.package) });

  const byName = new Map<string, Unpacked>();
  for (const one of others) {
    byName.set(one.package.name, one);
    for (const provided of one.package.provides.flat()) if (!byName.has(provided.name)) byName.set(provided.name, one);
  }
  const configured = new Set<Unpacked>();
  const prepared = new Set<Unpacked>();
  const prepare = (one: Unpacked): void => {
    if (prepared.has(one)) return;
    prepared.add(one);
    const direct = handedOver.has(one.package);
    if (!direct && !one.control.has('preinst')) return;
    const needed = [
      ...closure(
        one.package.preDepends.flat().map(({ name }) => byName.get(name)),
        byName,
      ),
    ].filter((other) => other !== one && !configured.has(other));
    if (needed.some((other) => other.control.has('postinst'))) {
      for (const other of needed) prepare(other);
      steps.push({ do: 'configure', packages: needed.map((other) => other.package) });
      for (const other of needed) configured.add(other);
    }
    steps.push({ do: direct ? 'unpack' : 'preinst', package: one.package });
  };
  for (const one of others) prepare(one);
  if (others.length > 0) steps.push({ do: 'configure', packages: 'all' });
  return steps;
}

/** Packages and all they depend on, among those not yet configured. */
function closure(roots: ReadonlyArray<Unpacked | undefined>, byName: ReadonlyMap<string, Unpacked>): Set<Unpacked> {
  const found = new Set<Unpacked>();
  const visit = (one: Unpacked | undefined): void => {
    if (one === undefined || found.has(one)) return;
    found.add(one);
    for (const { name } of [...one.package.preDepends, ...one.package.depends].flat()) visit(byName.get(name));
  };
  for (const root of roots) visit(root);
  return found;
}

// A new PID namespace makes ischroot(1) believe that this is a booted system, and scripts then wait for services that are
// not there: one that is found first says otherwise.
const PROLOGUE = `set -e
umask 022
cd /
mkdir -p /run/tsnspawn-bootstrap
printf '#!/bin/sh\\nexit 0\\n' > /run/tsnspawn-bootstrap/ischroot
chmod 755 /run/tsnspawn-bootstrap/ischroot
export PATH=/run/tsnspawn-bootstrap:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=dumb LC_ALL=C.UTF-8
export DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DEBCONF_NOWARNINGS=yes
`;

/** The script for some steps. */
export function scriptOf(steps: readonly Step[], dpkgVersion: string): string {
  let script = PROLOGUE;
  for (const step of steps) {
    switch (step.do) {
      case 'preinst': {
        const name = databaseName(step.package);
        script += `( export DPKG_MAINTSCRIPT_PACKAGE=${step.package.name} DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 DPKG_MAINTSCRIPT_ARCH=${step.package.architecture} DPKG_MAINTSCRIPT_NAME=preinst DPKG_RUNNING_VERSION=${dpkgVersion} DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT=\n`;
        script += `  /var/lib/dpkg/info/${name}.preinst install ) || { echo "dpkg: error processing package ${name} (--unpack): its preinst script failed"; exit 1; }\n`;
        break;
      }
      case 'unpack':
        script += `dpkg --force-depends --force-unsafe-io --unpack /${ARCHIVES}/${debName(step.package)}\n`;
        break;
      case 'configure':
        script += `dpkg --force-unsafe-io --configure ${step.packages === 'all' ? '-a' : step.packages.map(databaseName).join(' ')}\n`;
        break;
    }
  }
  return script;
}

/** The file name under which a handed-over package lies in the tree. */
export function debName(one: Package): string {
  return `${one.name}_${one.architecture}.deb`;
}

/** Run the steps inside the tree. */
export async function configurePackages(
  runner: GuestRunner,
  tree: string,
  steps: readonly Step[],
  dpkgVersion: string,
  options: { readonly signal?: AbortSignal; readonly onConfigured?: (name: string) => void } = {},
): Promise<void> {
  let rest = '';
  const { status, output } = await runner(tree, ['/bin/sh', '-s'], {
    stdin: scriptOf(steps, dpkgVersion),
    suppressSync: true,
    ...(options.signal && { signal: options.signal }),
    onOutput: (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const name = /^Setting up (\S+) /.exec(line)?.[1];
        if (name !== undefined) options.onConfigured?.(name);
      }
    },
  });
  if (status !== 0) throw scriptFailure(status, output);
}

/** Say in one line which package failed and why; the whole output goes to the debug log. */
function scriptFailure(status: number, output: string): BootstrapError {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const at = lines.findIndex((line) => line.startsWith('dpkg: error processing package '));
  const failed = /^dpkg: error processing package (\S+)/.exec(lines[at] ?? '')?.[1];
  // What a script printed last before dpkg gave up is nearly always its reason.
  const before = lines
    .slice(0, Math.max(at, 0))
    .filter((line) => !/^(Setting up|Processing triggers|Selecting|Unpacking|\(Reading)/.test(line))
    .at(-1);
  const subject = failed === undefined ? 'the packages' : `the package ${failed}`;
  const reason =
    failed === undefined
      ? (launcherComplaint(lines) ?? lines.at(-1) ?? `the scripts ended with status ${status}`)
      : (before ?? lines[at + 1] ?? `status ${status}`);
  return new BootstrapError('SCRIPT_FAILED', `cannot configure ${subject}: ${reason}`, {
    hint: 'DEBUG=tsnspawn:bootstrap* shows everything that the scripts wrote',
  });
}

/** Without a word of dpkg it was the launcher that failed, or Node before it. */
function launcherComplaint(lines: readonly string[]): string | undefined {
  return (
    lines.find((line) => line.startsWith('tsnspawn: ')) ?? lines.find((line) => /^\w*Error: /.test(line))
  )?.replace(/^tsnspawn: /, '');
}
