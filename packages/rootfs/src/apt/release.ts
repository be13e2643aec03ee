// The Release file: what a suite consists of. It is read only after its signature was verified, and believed only when it
// is for the suite that was asked for and neither from the future nor past its Valid-Until: a signed but old or
// foreign file is how an attacker on the line keeps known holes open.
import { BootstrapError } from '../errors';
import { type Paragraph, parseDeb822 } from './deb822';

export interface IndexFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Release {
  readonly suite: string | undefined;
  readonly codename: string | undefined;
  readonly version: string | undefined;
  readonly origin: string | undefined;
  readonly components: readonly string[];
  readonly byHash: boolean;
  readonly files: ReadonlyMap<string, IndexFile>;
}

export interface ReleaseExpectation {
  readonly suite: string;
  readonly architecture: string;
  readonly now: Date;
  readonly acceptExpired: boolean;
  /** The file's address, for messages. */
  readonly what: string;
}

/** Read a verified Release text and check that it is the one expected. */
export function parseRelease(text: string, expected: ReleaseExpectation): Release {
  const { what } = expected;
  const invalid = (reason: string, hint?: string): BootstrapError =>
    new BootstrapError('RELEASE_INVALID', `cannot use ${what}: ${reason}`, { path: what, hint });
  let paragraphs: Paragraph[];
  try {
    paragraphs = parseDeb822(text);
  } catch (error) {
    throw invalid((error as Error).message);
  }
  const release = paragraphs[0];
  if (release === undefined || paragraphs.length !== 1) throw invalid('it is not one paragraph');

  const suite = release.get('Suite');
  const codename = release.get('Codename');
  if (expected.suite !== suite && expected.suite !== codename) {
    throw invalid(
      `it is for the suite ${[codename, suite].filter((name) => name !== undefined).join(' or ')}, not ${expected.suite}`,
    );
  }
  checkDates(release, expected);
  const architectures = release.words('Architectures');
  if (architectures.length > 0 && !architectures.includes(expected.architecture)) {
    throw invalid(
      `the suite has no architecture ${expected.architecture}`,
      `it has ${architectures.filter((name) => name !== 'all').join(', ')}`,
    );
  }

  const files = new Map<string, IndexFile>();
  for (const line of release.lines('SHA256')) {
    const match = /^\s*([0-9a-fA-F]{64})\s+(\d{1,15})\s+(\S+)$/.exec(line);
    if (match === null) throw invalid('its list of SHA256 sums is damaged');
    const [, sha256, size, path] = match as unknown as [string, string, string, string];
    files.set(path, { path, size: Number(size), sha256: sha256.toLowerCase() });
  }
  if (files.size === 0) throw invalid('it lists no SHA256 sums');
  return {
    suite,
    codename,
    version: release.get('Version'),
    origin: release.get('Origin'),
    // The security archive writes updates/main for what is addressed as main.
    components: release.words('Components').map((name) => name.split('/').at(-1) as string),
    byHash: release.get('Acquire-By-Hash')?.toLowerCase() === 'yes',
    files,
  };
}

const DAY = 24 * 60 * 60 * 1000;

function checkDates(release: Paragraph, { what, now, acceptExpired }: ReleaseExpectation): void {
  const date = Date.parse(release.get('Date') ?? '');
  if (Number.isNaN(date))
    throw new BootstrapError('RELEASE_INVALID', `cannot use ${what}: it has no date`, { path: what });
  if (date > now.getTime() + DAY) {
    throw new BootstrapError('RELEASE_INVALID', `cannot use ${what}: it is from the future (${release.get('Date')})`, {
      path: what,
      hint: 'check the clock of this machine',
    });
  }
  const until = release.get('Valid-Until');
  if (until === undefined || acceptExpired) return;
  const end = Date.parse(until);
  if (Number.isNaN(end) || end < now.getTime()) {
    throw new BootstrapError('RELEASE_EXPIRED', `cannot use ${what}: it was valid until ${until}`, {
      path: what,
      hint: 'the mirror is out of date: name another one, or accept its state with --accept-expired',
    });
  }
}

/** The forms in which an index may be stored, the preferred one first. */
const COMPRESSIONS = ['.xz', '.gz', ''] as const;

/** The Packages index of a component; undefined when the Release lists none. */
export function packagesIndex(release: Release, component: string, architecture: string): IndexFile | undefined {
  for (const suffix of COMPRESSIONS) {
    const file = release.files.get(`${component}/binary-${architecture}/Packages${suffix}`);
    if (file !== undefined) return file;
  }
  return undefined;
}
