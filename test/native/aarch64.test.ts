// The runner is made for another machine than this one, with all that it does without namespaces. It has been run there by hand.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { needs, only } from '../support/needs';

const HEADERS = '/usr/aarch64-linux-gnu/include';
const missing =
  needs('arch:x64', 'command:make', 'command:clang++', 'command:ld.lld') ??
  (existsSync(join(HEADERS, 'c++')) ? undefined : 'needs headers for aarch64 (libstdc++-12-dev-arm64-cross)');
const it = only(test, missing);

it('the runner can be made for aarch64', () => {
  const build = join(process.cwd(), 'build/aarch64');
  const runner = join(build, 'out/runner');
  const compiler = `clang++ --target=aarch64-linux-gnu -idirafter ${HEADERS} -fuse-ld=lld -Wno-unused-command-line-argument`;
  execFileSync('make', ['-s', '-j2', '-C', 'native', `CXX=${compiler}`, `OBJ=${build}`, `OUT=${build}/out`, runner]);
  const head = readFileSync(runner).subarray(0, 20);
  const [aarch64, executable] = [183, 2];
  assert.equal(head.subarray(0, 4).toString('latin1'), '\x7fELF');
  assert.equal([head.readUInt16LE(16), head.readUInt16LE(18)], [executable, aarch64]);
});

test.run();
