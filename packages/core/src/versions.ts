// Directories with versions, NAME.v/ (systemd.v(7)): which of the entries is the newest that runs here.

/** An entry `NAME_VERSION[_ARCHITECTURE][+LEFT[-DONE]]SUFFIX`, taken apart. */
interface Candidate {
  readonly entry: string;
  readonly version: string;
  readonly architecture: string | undefined;
  /** attempts to start it that are left; undefined: it is not counted */
  readonly left: number | undefined;
}

/** Names of architectures as ConditionArchitecture= of systemd has them, by that of uname -m. */
const ARCHITECTURES: { readonly [machine: string]: string } = {
  x86_64: 'x86-64',
  i386: 'x86',
  i686: 'x86',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv8l: 'arm',
  ppc64le: 'ppc64-le',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  loongarch64: 'loongarch64',
};

/** The others that systemd knows: so `_1` is a version, and `_sparc` is none. */
const OTHERS =
  'ppc ppc-le ia64 parisc parisc64 s390 sparc sparc64 mips mips-le mips64 mips64-le alpha arm-be arm64-be sh sh64 m68k tilegx ' +
  'cris arc arc-be riscv32';

function isArchitecture(name: string): boolean {
  return Object.values(ARCHITECTURES).includes(name) || OTHERS.split(' ').includes(name);
}

/**
 * The entry to take of a directory NAME.v: the newest version whose architecture runs here; one without attempts left only
 * when there is no other.
 *
 * @param entries names in the directory
 * @param name NAME
 * @param suffix what the names end in: `.raw` for images, nothing for trees
 * @param machines architectures of this machine as uname -m names them, native first
 */
export function newestVersion(
  entries: readonly string[],
  name: string,
  suffix: string,
  machines: readonly string[],
): string | undefined {
  const local = machines.map((machine) => ARCHITECTURES[machine] ?? machine);
  const candidates = entries
    .map((entry) => candidateOf(entry, name, suffix))
    .filter((candidate) => candidate !== undefined)
    .filter(({ architecture }) => architecture === undefined || local.includes(architecture));
  const preference = ({ architecture }: Candidate): number =>
    architecture === undefined ? -1 : local.indexOf(architecture);
  candidates.sort(
    (a, b) =>
      Number(a.left === 0) - Number(b.left === 0) ||
      -compareVersions(a.version, b.version) ||
      preference(a) - preference(b) ||
      (b.left ?? Number.POSITIVE_INFINITY) - (a.left ?? Number.POSITIVE_INFINITY) ||
      (a.entry < b.entry ? -1 : 1),
  );
  return candidates[0]?.entry;
}

function candidateOf(entry: string, name: string, suffix: string): Candidate | undefined {
  if (!entry.startsWith(`${name}_`) || !entry.endsWith(suffix)) return undefined;
  let version = entry.slice(name.length + 1, entry.length - suffix.length);
  const counted = /^(.*)\+(\d{1,9})(?:-\d{1,9})?$/.exec(version);
  version = counted?.[1] ?? version;
  const underscore = version.lastIndexOf('_');
  const last = version.slice(underscore + 1);
  const architecture = isArchitecture(last) ? last : undefined;
  if (architecture !== undefined) version = underscore < 0 ? '' : version.slice(0, underscore);
  const left = counted === null ? undefined : Number(counted[2]);
  return version === '' ? undefined : { entry, version, architecture, left };
}

/**
 * Compares two versions by the Version Format Specification of the UAPI group: negative when `a` is older. `~` makes older than
 * nothing at all, `^` and `-` newer; runs of digits count as numbers, and letters before digits.
 */
export function compareVersions(a: string, b: string): number {
  let [left, right] = [a, b];
  for (;;) {
    left = left.replace(/^[^A-Za-z0-9~^.-]+/, '');
    right = right.replace(/^[^A-Za-z0-9~^.-]+/, '');
    if (left.startsWith('~') || right.startsWith('~')) {
      if (!left.startsWith('~')) return 1;
      if (!right.startsWith('~')) return -1;
      [left, right] = [left.slice(1), right.slice(1)];
      continue;
    }
    if (left === '' || right === '') return Math.sign(left.length - right.length);
    // a part that one has and the other lacks: `1-2` is newer than `1`, and older than `1.2`
    const separator = ['-', '^', '.'].find((char) => left.startsWith(char) || right.startsWith(char));
    if (separator !== undefined) {
      if (!left.startsWith(separator)) return 1;
      if (!right.startsWith(separator)) return -1;
      [left, right] = [left.slice(1), right.slice(1)];
      continue;
    }
    const digits = /^\d/.test(left) || /^\d/.test(right);
    const run = digits ? /^\d*/ : /^[A-Za-z]*/;
    const [one = '', two = ''] = [run.exec(left)?.[0], run.exec(right)?.[0]];
    const order = digits ? compareNumbers(one, two) : compareText(one, two);
    if (order !== 0) return order;
    [left, right] = [left.slice(one.length), right.slice(two.length)];
  }
}

/** Numbers of any length; none at all is the smallest. */
function compareNumbers(a: string, b: string): number {
  if (a === '' || b === '') return Math.sign(a.length - b.length);
  const [one, two] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return Math.sign(one.length - two.length) || compareText(one, two);
}

/** By bytes; capital letters come first, and a word before a longer one that starts with it. */
function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
