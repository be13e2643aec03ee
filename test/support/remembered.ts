// Guests of a user who has one id only, for tests: the user, and a tree that remembers its owners, converted from a shared one by
// test/support/remember.c.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Need } from './needs';
import { type Kind, sharedTree } from './trees';
import { OrdinaryUser } from './users';

/** What such tests need. */
export const ONE_ID: readonly Need[] = ['root', 'namespaces', 'mirror', 'command:setpriv', 'command:gcc'];

/** Compiles a program of test/support; returns its path. */
export function compiled(name: string): string {
  const program = join(process.cwd(), 'build/test', name);
  mkdirSync(dirname(program), { recursive: true });
  // whole, or not at all: files run side by side
  const mine = `${program}.${process.pid}`;
  // below 4 GiB, for those that call as a 32-bit program does
  execFileSync('gcc', ['-O1', '-static', '-no-pie', '-o', mine, join('test/support', `${name}.c`)]);
  execFileSync('mv', [mine, program]);
  return program;
}

/** Where the owners of a tree's links lie. */
export function storeOf(tree: string): string {
  return join(dirname(tree), `.#${basename(tree)}.owners`);
}

/** A copy of the tree of this kind below the user's home, all of which is the user's, and which knows whose it was. */
function rememberedTree(user: OrdinaryUser, kind: Kind): string {
  const tree = join(user.home, kind);
  execFileSync('cp', ['-a', '--reflink=auto', sharedTree(kind), tree]);
  writeFileSync(storeOf(tree), '');
  execFileSync(compiled('remember'), [String(user.uid), String(user.gid), tree, storeOf(tree)]);
  execFileSync('chown', [`${user.uid}:${user.gid}`, storeOf(tree)]);
  return tree;
}

export class OneIdGuest {
  readonly user = new OrdinaryUser({ subordinate: false });
  readonly tree: string;

  constructor(kind: Kind) {
    this.tree = rememberedTree(this.user, kind);
  }

  /** Output of a script in the guest, which has to succeed. */
  sh(script: string, ...options: string[]): string {
    const args = ['-qPD', this.tree, ...options, 'bash', '-ec', script];
    const { status, stdout, stderr } = this.user.tsnspawn(args, { timeout: 240 });
    assert.is(status, 0, `status ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Puts a program of test/support into the tree; returns its path there. */
  install(name: string): string {
    const path = `/usr/local/bin/${name}`;
    execFileSync('install', [
      '-o',
      String(this.user.uid),
      '-g',
      String(this.user.gid),
      compiled(name),
      this.tree + path,
    ]);
    return path;
  }
}
