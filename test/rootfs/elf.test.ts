// Which files a program needs, read from the host's own programs.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { appletNames, libraryClosure, parseElf } from '@tsnspawn/rootfs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';

test('a program names its interpreter and its libraries', () => {
  const elf = parseElf(readFileSync('/bin/ls'));
  assert.match(elf?.interpreter ?? '', /^\/lib.*\/ld-/);
  assert.ok(elf?.needed.some((name) => name.startsWith('libc.')));
});

only(test, needs('command:ldd'))('the closure holds what ldd lists', () => {
  for (const program of ['/bin/ls', process.execPath]) {
    const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
    const expected = [...listed.matchAll(/(?:=> )?(\/\S+) \(0x/g)]
      .map((match) => (match[1] as string).split('/').at(-1))
      .sort();
    const { files, missing } = libraryClosure([program]);
    assert.equal([...files].map((file) => file.split('/').at(-1)).sort(), expected, program);
    assert.is(missing.size, 0);
  }
});

test('what is no program, or a damaged one, is passed over', () => {
  const good = readFileSync('/bin/ls');
  assert.is(parseElf(Buffer.from('#!/bin/sh\n')), undefined);
  assert.is(parseElf(Buffer.alloc(0)), undefined);
  for (let length = 16; length < 4096; length += 97) parseElf(good.subarray(0, length));
  for (let at = 0; at < 512; at++) {
    const bad = Buffer.from(good.subarray(0, 8192));
    bad[at] = 0xff;
    parseElf(bad);
  }
});

test('the names of a busybox are read from the program itself', () => {
  assert.equal(appletNames(Buffer.from('junk[\0[[\0ash\0init\0mkfs.ext2\0zcat\0\0after\0')), [
    '[',
    '[[',
    'ash',
    'init',
    'mkfs.ext2',
    'zcat',
  ]);
  assert.equal(appletNames(Buffer.from('nothing')), []);
});

test.run();
