// All files that a set of programs needs to run: their interpreter and, recursively, their libraries, found where the
// host's loader would find them. Own reading rather than ldd(1), which runs the program it is asked about.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Elf, parseElf } from './elf';

/** Directories that loaders search without being told, whatever the C library. */
function defaultDirectories(): string[] {
  const multiarch: string[] = [];
  for (const base of ['/lib', '/usr/lib']) {
    for (const name of list(base)) if (/^[a-z0-9_]+-linux-[a-z0-9_]+$/.test(name)) multiarch.push(`${base}/${name}`);
  }
  return [...multiarch, '/lib64', '/usr/lib64', '/lib', '/usr/lib', '/lib32', '/usr/lib32', '/usr/local/lib'];
}

function list(directory: string): string[] {
  try {
    return fs.readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** The directories that ld.so.conf names, files it includes included. */
function loaderDirectories(file = '/etc/ld.so.conf', seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  const directories: string[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    const include = /^include\s+(.+)$/.exec(line)?.[1];
    if (include !== undefined) {
      const pattern = path.resolve(path.dirname(file), include);
      const name = new RegExp(
        `^${path
          .basename(pattern)
          .replace(/[.+^$(){}|[\]\\]/g, '\\$&')
          .replace(/\*/g, '.*')
          .replace(/\?/g, '.')}$`,
      );
      for (const one of list(path.dirname(pattern)))
        if (name.test(one)) directories.push(...loaderDirectories(path.join(path.dirname(pattern), one), seen));
    } else if (line.startsWith('/')) {
      directories.push(line);
    }
  }
  return directories;
}

export interface Closure {
  /** Paths of the host under which the loader looks for the files; links are not resolved. */
  readonly files: ReadonlySet<string>;
  /** Libraries that were needed and not found, with who needs them. */
  readonly missing: ReadonlyMap<string, string>;
}

/** The interpreters and libraries of some programs; the programs themselves are not part of it. */
export function libraryClosure(
  programs: readonly string[],
  directories: readonly string[] = [...loaderDirectories(), ...defaultDirectories()],
): Closure {
  const files = new Set<string>();
  const missing = new Map<string, string>();
  const interpreters = new Set<string>();
  const parsed = new Map<string, Elf | undefined>();
  const read = (file: string): Elf | undefined => {
    if (!parsed.has(file)) parsed.set(file, readElf(file));
    return parsed.get(file);
  };
  const queue: Array<{ readonly file: string; readonly inherited: readonly string[] }> = programs.map((file) => ({
    file,
    inherited: [],
  }));
  for (const { file, inherited } of queue) {
    const elf = read(file);
    if (elf === undefined) continue;
    if (elf.interpreter !== undefined && fs.existsSync(elf.interpreter)) {
      files.add(elf.interpreter);
      interpreters.add(path.basename(elf.interpreter));
    }
    const origin = path.dirname(fs.realpathSync(file));
    const expand = (paths: readonly string[]): string[] =>
      paths.filter((one) => one !== '').map((one) => one.replace(/\$\{?ORIGIN\}?/g, origin));
    // An RPATH counts for what the library loads in turn, and not at all beside a RUNPATH.
    const rpath = elf.runpath.length > 0 ? [] : [...expand(elf.rpath), ...inherited];
    for (const name of elf.needed) {
      // The C library needs its loader, which is there already: the program named it by its path.
      if (interpreters.has(name)) continue;
      const candidates = name.includes('/')
        ? [name]
        : [...rpath, ...expand(elf.runpath), ...directories].map((directory) => path.join(directory, name));
      const found = candidates.find((candidate) => read(candidate)?.kind === elf.kind);
      if (found === undefined) missing.set(name, file);
      else if (!files.has(found)) {
        files.add(found);
        queue.push({ file: found, inherited: rpath });
      }
    }
  }
  return { files, missing };
}

function readElf(file: string): Elf | undefined {
  try {
    return parseElf(fs.readFileSync(file));
  } catch {
    return undefined;
  }
}
