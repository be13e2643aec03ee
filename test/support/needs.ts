// What a test needs of the machine. A test that cannot run here says why, in a line that scripts/test.mjs counts; with
// TSNSPAWN_MUST_WORK=1 such a line is a failure there.
//
//   const it = only(test, needs('root', 'cgroup2'));
//   it('the guest finds a writable cgroup', async () => { ... });

import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export type Need =
  | 'root'
  | 'namespaces'
  | 'zone'
  | 'tun'
  | 'fuse'
  | 'cgroup'
  | 'cgroup2'
  | 'mirror'
  | 'narrow'
  | `command:${string}`
  | `arch:${string}`;

/** Why a test with these needs cannot run here, or nothing when it can. */
export function needs(...needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    const reason = lacks(need);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

interface Registrar<Handler> {
  (name: string, handler: Handler): void;
  skip: (name?: string, handler?: Handler) => void;
}

/** `test` itself, or what skips each test with the reason. Works with uvu's `test` and with its suites. */
export function only<Handler>(
  test: Registrar<Handler>,
  reason: string | undefined,
): (name: string, handler: Handler) => void {
  if (reason === undefined) return (name, handler) => test(name, handler);
  return (name, handler) => {
    process.stdout.write(`SKIP: ${name}: ${reason}\n`);
    test.skip(name, handler);
  };
}

const known = new Map<Need, string | undefined>();

function lacks(need: Need): string | undefined {
  if (!known.has(need)) known.set(need, probe(need));
  return known.get(need);
}

function probe(need: Need): string | undefined {
  switch (need) {
    case 'root':
      return process.geteuid?.() === 0 ? undefined : 'needs root';
    case 'namespaces':
      return succeeds('unshare', process.geteuid?.() === 0 ? ['-mpf', 'true'] : ['-Urmpf', 'true'])
        ? undefined
        : 'this user may not make namespaces here';
    case 'cgroup':
      return mounted('cgroup') || mounted('cgroup2') ? undefined : 'needs a mounted cgroup hierarchy';
    case 'cgroup2':
      return mounted('cgroup2') ? undefined : 'needs a mounted cgroup2 hierarchy';
    case 'tun':
      return succeeds('test', ['-c', '/dev/net/tun']) ? undefined : 'needs /dev/net/tun';
    case 'fuse':
      return succeeds('test', ['-c', '/dev/fuse']) ? undefined : 'needs /dev/fuse';
    case 'zone':
      return succeeds('sh', ['-c', 'readlink /etc/localtime | grep /usr/share/zoneinfo/ && test -f /etc/localtime'])
        ? undefined
        : 'needs a host whose /etc/localtime is a link to a time zone';
    case 'mirror':
      return mirror();
    case 'narrow':
      return succeeds('sh', ['-c', 'echo "int main(){}" | gcc -m32 -static -x c -o /dev/null -'])
        ? undefined
        : 'needs a gcc that makes programs of 32 bits (gcc-multilib)';
  }
  const [kind, value = ''] = need.split(':');
  if (kind === 'arch') return process.arch === value ? undefined : `is about ${value}, this is ${process.arch}`;
  return inPath(value) ? undefined : `needs the command ${value}`;
}

function succeeds(file: string, args: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

function inPath(command: string): boolean {
  return `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function mounted(type: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` - ${type} `);
}

/** The Debian archive that apt is set up with, without its updates and security suites. */
export function debianArchive(): { readonly uri: string; readonly suite: string } | undefined {
  const format = ['indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages'];
  const { stdout } = spawnSync('apt-get', format, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [uri, suite] = ((stdout ?? '').split('\n').find((line) => line.includes('/debian')) ?? '').split(' ');
  return uri === undefined || suite === undefined ? undefined : { uri, suite };
}

/** Asks apt itself, which knows the host's mirror, its proxy and its certificates, for one small file of the mirror. */
function mirror(): string | undefined {
  const { uri, suite } = debianArchive() ?? {};
  if (uri === undefined || suite === undefined) return 'needs a Debian mirror, and apt is not set up with one';
  const dir = mkdtempSync(join(tmpdir(), 'tsnspawn-mirror-'));
  const reached = succeeds('/usr/lib/apt/apt-helper', [
    'download-file',
    `${uri}dists/${suite}/InRelease`,
    join(dir, 'InRelease'),
  ]);
  rmSync(dir, { recursive: true, force: true });
  return reached ? undefined : 'needs a Debian mirror, and the one apt is set up with does not answer';
}
