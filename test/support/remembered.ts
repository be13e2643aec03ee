// Trees that remember their owners, for tests: copies of the shared trees, converted by test/support/remember.c.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Kind, sharedTree } from './trees';
import type { OrdinaryUser } from './users';

/** Compiles a program of test/support; returns its path. */
export function compiled(name: string, ...options: string[]): string {
  const program = join(process.cwd(), 'build/test', name);
  mkdirSync(dirname(program), { recursive: true });
  // whole, or not at all: files run side by side
  const mine = `${program}.${process.pid}`;
  execFileSync('gcc', ['-O1', '-o', mine, join('test/support', `${name.replace(/-i386$/, '')}.c`), ...options]);
  execFileSync('mv', [mine, program]);
  return program;
}

/** Where the owners of a tree's links lie. */
export function storeOf(tree: string): string {
  return join(dirname(tree), `.#${basename(tree)}.owners`);
}

/** A copy of the tree of this kind below the user's home, all of which is the user's, and which knows whose it was. */
export function rememberedTree(user: OrdinaryUser, kind: Kind, name: string = kind): string {
  const tree = join(user.home, name);
  execFileSync('cp', ['-a', '--reflink=auto', sharedTree(kind), tree]);
  writeFileSync(storeOf(tree), '');
  execFileSync(compiled('remember'), [String(user.uid), String(user.gid), tree, storeOf(tree)]);
  execFileSync('chown', [`${user.uid}:${user.gid}`, storeOf(tree)]);
  return tree;
}
