// Users of the host and of a tree, from their own files: passwd(5), group(5), shadow(5).

import type { Accounts, HostUser } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/** What looks like the hash of a password: everything else keeps its user from logging in with one. */
const HASH = /^(?:\$[^:]+|[./0-9A-Za-z]{13})$/;

/** The users of these names, as far as the host has them. */
export function hostUsers(names: readonly string[]): HostUser[] {
  const passwd = linesOf(addon().readText('/etc/passwd'));
  const shadow = linesOf(addon().readText('/etc/shadow'));
  return names.flatMap((name): HostUser[] => {
    // getent(1) knows those of a directory service, too
    const fields = passwd.find(([user]) => user === name) ?? linesOf(getent(name))[0];
    if (fields === undefined) return [];
    const [, , uid = '', gid = '', , home = '', shell = ''] = fields;
    if (!/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return [];
    const hash = shadow.find(([user]) => user === name)?.[1] ?? '';
    return [
      {
        name,
        uid: Number(uid),
        gid: Number(gid),
        home,
        shell,
        ...(HASH.test(hash) ? { hashedPassword: hash } : {}),
      },
    ];
  });
}

function getent(name: string): string {
  // loading it takes milliseconds, which only this launch is to pay for
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const { status, stdout } = spawnSync('getent', ['passwd', '--', name], { encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? stdout : '';
}

/** Names and ids in the texts of a passwd and a group file. */
export function accountsOf(passwd: string | undefined, group: string | undefined): Accounts {
  const [users, groups] = [linesOf(passwd), linesOf(group)];
  const first = ([name = '']: readonly string[]): string => name;
  return {
    names: users.map(first),
    groups: groups.map(first),
    ids: [...users.map(([, , uid]) => Number(uid)), ...groups.map(([, , gid]) => Number(gid))],
  };
}

function linesOf(text: string | undefined): string[][] {
  return (text ?? '')
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.split(':'));
}
