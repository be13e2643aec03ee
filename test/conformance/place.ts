// Where the cases run: a tree that holds little more than their program, and what of the host is bound into it or must not be reached.

import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const SOURCES = 'test/conformance/cases';
/** Programs of this machine's own width, or of 32 bits. */
export type Width = 'native' | 'narrow';
const BUILDS: Readonly<Record<Width, string>> = { native: 'build/conformance', narrow: 'build/conformance/narrow' };
/** The same objects linked in three ways, as the cases execute each other. */
const PROGRAMS = { cases: ['-static', '-no-pie'], position: ['-static-pie'], dynamic: ['-pie'] };
const SECRET_TEXT = 'nobody in the tree reads this';

/** Compiles the cases. */
export async function makePrograms(width: Width = 'native'): Promise<void> {
  const build = BUILDS[width];
  const machine = width === 'narrow' ? ['-m32'] : [];
  mkdirSync(build, { recursive: true });
  const compile = [
    ...machine,
    '-std=gnu17',
    '-D_GNU_SOURCE',
    '-O1',
    '-fPIE',
    '-w',
    '-fno-toplevel-reorder',
    '-pthread',
  ];
  const gcc = promisify(execFile);
  // another test file may be about to do the same, or execute what is there
  const make = async (words: readonly string[], to: string): Promise<void> => {
    const own = `${to}.${process.pid}`;
    await gcc('gcc', [...words, '-o', own]);
    renameSync(own, to);
  };
  const objects: string[] = [];
  for (const name of readdirSync(SOURCES).sort()) {
    if (!name.endsWith('.c')) continue;
    const [source, object] = [join(SOURCES, name), join(build, name.replace(/c$/, 'o'))];
    objects.push(object);
    const newest = Math.max(...[source, join(SOURCES, 'case.h')].map((file) => statSync(file).mtimeMs));
    if (!existsSync(object) || statSync(object).mtimeMs < newest) await make([...compile, '-c', source], object);
  }
  await Promise.all(
    Object.entries(PROGRAMS).map(([name, how]) =>
      make([...machine, '-pthread', ...how, ...objects], join(build, name)),
    ),
  );
}

/** Names of all cases, in their order. */
export function listCases(width: Width = 'native'): string[] {
  const output = execFileSync(join(BUILDS[width], 'cases'), ['--list'], { encoding: 'utf8' });
  return output.split('\n').filter((line) => line.includes(': '));
}

/** Files that a dynamic program of this machine needs, with itself. */
function filesOf(program: string): string[] {
  const list = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [program, ...[...list.matchAll(/(\/\S+) \(0x/g)].map(([, file = '']) => file)];
}

export class Place {
  readonly tree: string;
  /** a directory of the host that everybody may write to and nobody in the tree is to reach */
  readonly secret: string;
  readonly #host: string;
  readonly #build: string;

  constructor(home: string, width: Width = 'native') {
    this.#build = BUILDS[width];
    rmSync(home, { recursive: true, force: true });
    this.tree = join(resolve(home), 'tree');
    this.#host = join(resolve(home), 'host');
    this.secret = join(this.#host, 'secret');
    this.#makeTree();
    this.#makeHost();
  }

  /** What is bound where: [place in the tree, source, read-only]. */
  get binds(): readonly (readonly [target: string, source: string, readOnly: boolean])[] {
    const bind = (name: string, readOnly: boolean) => [`/${name}`, join(this.#host, name), readOnly] as const;
    return [bind('bound', false), bind('covered', false), bind('boundfile', false), bind('readonly', true)];
  }

  get environment(): Record<string, string> {
    return { SECRET: this.secret, HOSTPID: String(process.pid) };
  }

  /** What the cases might have done to the host: to be compared. */
  stateOfSecret(): string {
    const look = (path: string): string => {
      const { mode, size, mtimeMs, uid } = lstatSync(path);
      return `${basename(path)} ${mode.toString(8)} ${uid} ${size} ${mtimeMs}`;
    };
    const names = readdirSync(this.secret).sort();
    const text = names.includes('file') ? readFileSync(join(this.secret, 'file'), 'latin1') : '';
    return [look(this.secret), ...names.map((name) => look(join(this.secret, name))), text].join('\n');
  }

  #makeTree(): void {
    for (const name of ['conformance', 'proc', 'dev', 'tmp', 'etc', 'bin', 'usr/lib', 'bound', 'readonly', 'covered'])
      mkdirSync(join(this.tree, name), { recursive: true });
    const own = join(this.tree, 'conformance');
    for (const name of Object.keys(PROGRAMS)) copyFileSync(join(this.#build, name), join(own, name));
    copyFileSync(join(own, 'dynamic'), join(own, 'auxv'));
    for (const [name, mode] of [
      ['setuid', 0o4755],
      ['setgid', 0o2755],
    ] as const) {
      copyFileSync(join(own, 'cases'), join(own, name));
      chmodSync(join(own, name), mode);
    }
    writeFileSync(join(own, 'mark'), "the tree's mark\n");
    writeFileSync(join(this.tree, 'etc/os-release'), 'ID=conformance\n');
    writeFileSync(join(this.tree, 'covered/hidden'), '');
    writeFileSync(join(this.tree, 'boundfile'), '');
    for (const file of new Set([...filesOf(join(this.#build, 'dynamic')), ...filesOf('/bin/sh')])) {
      const to = join(this.tree, file.startsWith('/') ? file : 'conformance/dynamic');
      mkdirSync(dirname(to), { recursive: true });
      cpSync(file, to, { dereference: true });
    }
  }

  #makeHost(): void {
    for (const name of ['secret/dir', 'bound/sub', 'readonly', 'covered'])
      mkdirSync(join(this.#host, name), { recursive: true });
    for (const name of ['bound', 'readonly', 'covered'])
      writeFileSync(join(this.#host, name, 'file'), `the host's file in ${name}\n`);
    writeFileSync(join(this.#host, 'boundfile'), "the host's file\n");
    copyFileSync(join(this.#build, 'cases'), join(this.#host, 'bound/program'));
    writeFileSync(join(this.secret, 'file'), SECRET_TEXT);
    copyFileSync('/bin/true', join(this.secret, 'program'));
    symlinkSync('file', join(this.secret, 'link'));
    execFileSync('chmod', ['-R', '777', this.secret]);
  }
}
