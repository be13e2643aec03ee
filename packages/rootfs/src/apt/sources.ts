// Where packages come from: the archives that the host's own APT is set up with. Both of its forms are read, one-line
// (*.list) and deb822 (*.sources). Nothing here knows the name of any mirror.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseDeb822 } from './deb822';

/** One archive and suite that APT is told about. */
export interface Source {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly architectures: readonly string[];
  /** A keyring file, or keys written out in the entry itself. */
  readonly signedBy: string | undefined;
  readonly trusted: boolean;
  /** Check-Valid-Until of the entry: whether APT refuses an expired Release; undefined where the entry does not say. */
  readonly checkValidUntil?: boolean | undefined;
  /** The file that says so. */
  readonly file: string;
}

/** A boolean as APT writes it (apt.conf(5)); undefined when there is none. */
export function aptBoolean(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (/^(yes|true|with|1|on|enable)$/i.test(text)) return true;
  return /^(no|false|without|0|off|disable)$/i.test(text) ? false : undefined;
}

/** Parse the one-line form; lines that are not binary sources are passed over. */
export function parseSourcesList(text: string, file: string): Source[] {
  const sources: Source[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*$/, '').trim();
    const match = /^deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)((?:\s+\S+)*)$/.exec(line);
    if (match === null) continue;
    const [, optionText = '', uri, suite, componentText = ''] = match as unknown as [
      string,
      string | undefined,
      string,
      string,
      string | undefined,
    ];
    const options = new Map<string, string>();
    for (const option of optionText.split(/\s+/)) {
      const equals = option.indexOf('=');
      if (equals > 0) options.set(option.slice(0, equals).toLowerCase(), option.slice(equals + 1));
    }
    sources.push({
      uri: uri.replace(/\/+$/, ''),
      suite,
      components: componentText.split(/\s+/).filter((word) => word !== ''),
      architectures: (options.get('arch') ?? '').split(',').filter((word) => word !== ''),
      signedBy: options.get('signed-by')?.split(',')[0],
      trusted: options.get('trusted') === 'yes',
      checkValidUntil: aptBoolean(options.get('check-valid-until')),
      file,
    });
  }
  return sources;
}

/** Parse the deb822 form; each pair of a URI and a suite becomes a source of its own. */
export function parseSourcesDeb822(text: string, file: string): Source[] {
  const sources: Source[] = [];
  for (const paragraph of parseDeb822(text)) {
    if (!paragraph.words('Types').includes('deb')) continue;
    if (aptBoolean(paragraph.get('Enabled')) === false) continue;
    for (const uri of paragraph.words('URIs')) {
      for (const suite of paragraph.words('Suites')) {
        sources.push({
          uri: uri.replace(/\/+$/, ''),
          suite,
          components: paragraph.words('Components'),
          architectures: paragraph.words('Architectures'),
          signedBy: signedByOf(paragraph.get('Signed-By')),
          trusted: aptBoolean(paragraph.get('Trusted')) === true,
          checkValidUntil: aptBoolean(paragraph.get('Check-Valid-Until')),
          file,
        });
      }
    }
  }
  return sources;
}

/** Signed-By holds either file names or a whole armored key, whose empty lines are written as a lone dot. */
function signedByOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (!value.includes('-----BEGIN PGP')) return value.split(/[\s,]+/).find((word) => word.startsWith('/'));
  return value
    .split('\n')
    .map((line) => (line.trim() === '.' ? '' : line.trim()))
    .join('\n')
    .trim();
}

/** Everything that APT below `etc` (usually /etc/apt) is set up with, in APT's own order. A file that cannot be parsed is passed over. */
export function readAptSources(etc = '/etc/apt'): Source[] {
  const sources: Source[] = [];
  const read = (file: string): string | undefined => {
    try {
      return fs.readFileSync(file, 'utf8');
    } catch {
      return undefined;
    }
  };
  const main = read(path.join(etc, 'sources.list'));
  if (main !== undefined) sources.push(...parseSourcesList(main, path.join(etc, 'sources.list')));
  let names: string[] = [];
  try {
    names = fs.readdirSync(path.join(etc, 'sources.list.d')).sort();
  } catch {
    // No such directory: sources.list is all there is.
  }
  for (const name of names) {
    const file = path.join(etc, 'sources.list.d', name);
    const text = /\.(list|sources)$/.test(name) ? read(file) : undefined;
    if (text === undefined) continue;
    try {
      sources.push(...(name.endsWith('.list') ? parseSourcesList(text, file) : parseSourcesDeb822(text, file)));
    } catch {
      // APT itself would refuse it; a bootstrap should not fail because of somebody's unrelated broken entry.
    }
  }
  return sources;
}

/** What the host's set-up means for a suite. */
export interface SuiteSources {
  /** Archives that may hold the suite, the likeliest first. */
  readonly main: readonly Source[];
  /** Entry for the updates of the same archive, when the host uses such a suite at all. */
  readonly updates: Source | undefined;
  /** Entry of the security archive, when the host uses one at all. */
  readonly security: Source | undefined;
}

const SIDE_SUITE = /(-updates|-security|\/updates|-backports(-sloppy)?|-proposed(-updates)?|-debug|\/)$/;

/** Choose among the host's sources those that can serve `suite`; `hostCodename` is what the host itself runs. */
export function chooseSources(sources: readonly Source[], suite: string, hostCodename?: string): SuiteSources {
  const usable = sources.filter((source) => /^(https?|file):/.test(source.uri));
  const plain = usable.filter((source) => !SIDE_SUITE.test(source.suite) && source.components.includes('main'));
  const rank = (source: Source): number => (source.suite === suite ? 0 : source.suite === hostCodename ? 1 : 2);
  const main = plain
    .map((source, index) => ({ source, index }))
    .sort((a, b) => rank(a.source) - rank(b.source) || a.index - b.index)
    .map(({ source }) => ({ ...source, suite }))
    .filter((source, index, all) => all.findIndex((other) => other.uri === source.uri) === index);
  const pick = (suffix: string): Source | undefined => {
    const all = usable.filter((source) => source.suite.endsWith(suffix) && source.components.includes('main'));
    const chosen = all.find((source) => source.suite === `${suite}${suffix}`) ?? all[0];
    return chosen && { ...chosen, suite: `${suite}${suffix}` };
  };
  return { main, updates: pick('-updates'), security: pick('-security') };
}
