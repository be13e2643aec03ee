// The Packages index: 50-65 MB of paragraphs of which a bootstrap needs a few hundred. So one pass notes where each
// paragraph begins and what its package is called, a second finds who provides what, and a paragraph is taken apart only
// when somebody asks for it.
import { type Alternatives, parseRelations } from './relation';
import { compareVersions } from './version';

/** One binary package as the index describes it. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly multiArch: 'no' | 'same' | 'foreign' | 'allowed';
  readonly essential: boolean;
  readonly priority: string;
  readonly source: string;
  readonly preDepends: readonly Alternatives[];
  readonly depends: readonly Alternatives[];
  readonly conflicts: readonly Alternatives[];
  readonly breaks: readonly Alternatives[];
  readonly replaces: readonly Alternatives[];
  readonly provides: readonly Alternatives[];
  readonly filename: string;
  readonly size: number;
  readonly sha256: string;
  /** Where `filename` is to be fetched: the URI of the archive whose index named it. */
  readonly archive: string;
  /** Position in the index, which is how ties between equals are settled the same way each time. */
  readonly order: number;
}

/** One package that offers a name, under its own name or as a virtual package. */
export interface Provider {
  readonly package: Package;
  /** The version the virtual package is provided as; undefined where it is provided without one. */
  readonly version: string | undefined;
}

interface Slice {
  readonly source: IndexText;
  readonly start: number;
  readonly end: number;
}

interface IndexText {
  readonly text: string;
  readonly archive: string;
}

/** All packages that the chosen archives offer for one architecture; for each name the newest version counts. */
export class PackageUniverse {
  readonly architecture: string;
  readonly #slices = new Map<string, Slice[]>();
  readonly #virtual = new Map<string, Slice[]>();
  readonly #parsed = new Map<string, Package>();
  readonly #candidates = new Map<string, Package | undefined>();
  readonly #essential = new Set<string>();
  readonly #required = new Set<string>();
  #count = 0;

  constructor(architecture: string) {
    this.architecture = architecture;
  }

  /** Read an index. The text is taken byte for byte (latin1): all that is used of it is ASCII. */
  add(text: string, archive: string): void {
    const source: IndexText = { text, archive };
    let start = 0;
    while (start < text.length) {
      if (text.charCodeAt(start) === 0x0a) {
        start++;
        continue;
      }
      let end = text.indexOf('\n\n', start);
      if (end < 0) end = text.length;
      const name = fieldOf(text, start, end, 'Package');
      if (name !== undefined) this.#note(this.#slices, name, { source, start, end });
      start = end + 2;
    }
    this.#scan(source, '\nProvides: ', (slice, value) => {
      for (const part of value.split(',')) {
        const name = /^\s*([^\s(:]+)/.exec(part)?.[1];
        if (name !== undefined) this.#note(this.#virtual, name, slice);
      }
    });
    this.#scan(source, '\nEssential: yes', (slice) => this.#essential.add(nameOf(slice)));
    this.#scan(source, '\nPriority: required', (slice) => this.#required.add(nameOf(slice)));
  }

  #note(map: Map<string, Slice[]>, name: string, slice: Slice): void {
    const list = map.get(name);
    if (list === undefined) map.set(name, [slice]);
    else list.push(slice);
  }

  #scan(source: IndexText, needle: string, found: (slice: Slice, value: string) => void): void {
    const { text } = source;
    for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) {
      const lineEnd = text.indexOf('\n', at + 1);
      const start = text.lastIndexOf('\n\n', at);
      const end = text.indexOf('\n\n', at);
      const slice = { source, start: start < 0 ? 0 : start + 2, end: end < 0 ? text.length : end };
      found(slice, text.slice(at + needle.length, lineEnd < 0 ? text.length : lineEnd));
    }
  }

  #parse(slice: Slice): Package {
    const key = `${slice.source.archive} ${slice.start} ${slice.source.text.length}`;
    const known = this.#parsed.get(key);
    if (known !== undefined) return known;
    const parsed = parsePackage(
      slice.source.text.slice(slice.start, slice.end),
      slice.source.archive,
      this.architecture,
      this.#count++,
    );
    this.#parsed.set(key, parsed);
    return parsed;
  }

  #usable(one: Package): boolean {
    return one.architecture === this.architecture || one.architecture === 'all';
  }

  /** The newest version of a package by its own name. */
  candidate(name: string): Package | undefined {
    if (this.#candidates.has(name)) return this.#candidates.get(name);
    let best: Package | undefined;
    for (const slice of this.#slices.get(name) ?? []) {
      const one = this.#parse(slice);
      if (this.#usable(one) && (best === undefined || compareVersions(one.version, best.version) > 0)) best = one;
    }
    this.#candidates.set(name, best);
    return best;
  }

  /** The packages that provide a virtual name; only those count that are themselves the newest of their name. */
  providers(name: string): Provider[] {
    const providers: Provider[] = [];
    for (const slice of this.#virtual.get(name) ?? []) {
      const one = this.#parse(slice);
      if (this.candidate(one.name) !== one) continue;
      for (const provided of one.provides) {
        for (const relation of provided) {
          if (relation.name === name) providers.push({ package: one, version: relation.version });
        }
      }
    }
    return providers;
  }

  /** Essential packages, sorted by name as the front ends of this format do. */
  essential(): Package[] {
    return this.#named(this.#essential).filter((one) => one.essential);
  }

  /** Packages of priority required. */
  required(): Package[] {
    return this.#named(this.#required).filter((one) => one.priority === 'required');
  }

  #named(names: ReadonlySet<string>): Package[] {
    const found: Package[] = [];
    for (const name of [...names].sort()) {
      const one = this.candidate(name);
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /** Every name that begins as `name` does, for a hint after a misspelling. */
  similar(name: string): string[] {
    const stem = name.slice(0, Math.max(3, Math.floor(name.length * 0.7)));
    const found: string[] = [];
    for (const one of this.#slices.keys()) {
      if (one.startsWith(stem)) found.push(one);
      if (found.length >= 200) break;
    }
    return found.sort((a, b) => Math.abs(a.length - name.length) - Math.abs(b.length - name.length)).slice(0, 3);
  }
}

function nameOf(slice: Slice): string {
  return fieldOf(slice.source.text, slice.start, slice.end, 'Package') ?? '';
}

function fieldOf(text: string, start: number, end: number, field: string): string | undefined {
  const prefix = `${field}: `;
  let at = start;
  if (!text.startsWith(prefix, start)) {
    at = text.indexOf(`\n${prefix}`, start);
    if (at < 0 || at >= end) return undefined;
    at++;
  }
  const lineEnd = text.indexOf('\n', at);
  return text.slice(at + prefix.length, lineEnd < 0 || lineEnd > end ? end : lineEnd).trim();
}

function parsePackage(text: string, archive: string, architecture: string, order: number): Package {
  const get = (field: string): string | undefined => fieldOf(text, 0, text.length, field);
  const relations = (field: string): readonly Alternatives[] => parseRelations(get(field) ?? '', architecture);
  const name = get('Package') ?? '';
  const multiArch = get('Multi-Arch');
  return {
    name,
    version: get('Version') ?? '',
    architecture: get('Architecture') ?? '',
    multiArch: multiArch === 'same' || multiArch === 'foreign' || multiArch === 'allowed' ? multiArch : 'no',
    essential: get('Essential') === 'yes',
    priority: get('Priority') ?? 'optional',
    source: (get('Source') ?? name).split(' ')[0] as string,
    preDepends: relations('Pre-Depends'),
    depends: relations('Depends'),
    conflicts: relations('Conflicts'),
    breaks: relations('Breaks'),
    replaces: relations('Replaces'),
    provides: relations('Provides'),
    filename: get('Filename') ?? '',
    size: Number(get('Size')),
    sha256: (get('SHA256') ?? '').toLowerCase(),
    archive,
    order,
  };
}
