// Many processes at once under the ptrace engine, and what happens when one of them, or of those that stand behind them, is killed:
// nothing hangs, nobody of the guest is left, and nobody reaches the host meanwhile.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ACCELERATORS, type EngineWay, engine, makePrograms } from '../conformance';
import { Running } from '../support/launcher';
import { needs, only } from '../support/needs';

const missing = needs('root', 'namespaces', 'arch:x64', 'command:gcc', 'command:setpriv');
const it = only(test, missing);

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
}

/** The living processes of a user. */
function processesOf(uid: number): Process[] {
  const found: Process[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'latin1');
      const field = (key: string): string => new RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
      if (Number(field('Uid')) !== uid || /[ZX]/.test(field('State'))) continue;
      found.push({ pid: Number(name), parent: Number(field('PPid')), name: field('Name') });
    } catch {} // gone meanwhile
  }
  return found;
}

/** Waits until a condition holds; a test that waits in vain fails by what it finds then. */
async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !holds(); turn++) await new Promise((done) => setTimeout(done, 50));
}

function start(way: EngineWay, ...args: string[]): Running {
  const [command = '', ...words] = way.words(args);
  // a launcher that is killed leaves its directory: it goes with the user
  const env = { ...way.env, TMPDIR: way.env.HOME ?? '/tmp' };
  return new Running(command, words, { env, timeout: 100 });
}

/** The processes by what they are: the launcher, the one that traces, the first of the guest, the others of the guest. */
function rolesOf(uid: number) {
  const all = processesOf(uid);
  const guest = all.filter(({ name }) => name === 'cases' || name === 'dynamic');
  const launcher = all.find(({ name }) => /^(node|tsnspawn)/.test(name) && !guest.some(({ parent }) => parent === 0));
  const first = guest.find(({ parent }) => !guest.some(({ pid }) => pid === parent));
  const tracer = all.find(({ pid }) => pid === first?.parent);
  return { launcher, tracer, first, others: guest.filter((one) => one !== first) };
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'newborn-'));
  test.after(() => rmSync(directory, { recursive: true }));
  const newborn = join(directory, 'newborn');
  if (missing === undefined) {
    await makePrograms();
    execFileSync('gcc', ['-O1', '-static', '-o', newborn, 'test/support/newborn.c']);
    chmodSync(directory, 0o755);
  }
  for (const accelerator of ACCELERATORS) {
    let known: EngineWay | undefined;
    const way = (): EngineWay => {
      known ??= engine(accelerator);
      return known;
    };

    it(`${accelerator}: two hundred processes at once all get what they ask for`, async () => {
      const before = way().place.stateOfSecret();
      const running = start(way(), 'strain', '200', '20');
      await running.until(/200 right/);
      assert.is((await running.exited).status, 0);
      assert.equal(processesOf(way().uid), []);
      assert.is(way().place.stateOfSecret(), before);
    });

    for (const role of ['launcher', 'tracer', 'first'] as const) {
      it(`${accelerator}: when the ${role} is killed nobody is left, and nobody has reached the host`, async () => {
        const before = way().place.stateOfSecret();
        const running = start(way(), 'strain', '30', '1000000');
        await running.until(/30 begun/);
        const victim = rolesOf(way().uid)[role];
        assert.ok(victim, `${role} is not among ${JSON.stringify(processesOf(way().uid))}`);
        process.kill(victim?.pid ?? 0, 'SIGKILL');
        await running.exited;
        await until(() => processesOf(way().uid).length === 0);
        assert.equal(processesOf(way().uid), []);
        assert.is(way().place.stateOfSecret(), before);
      });
    }

    it(`${accelerator}: processes of the guest that are killed from outside are missed by nobody else`, async () => {
      const running = start(way(), 'strain', '60', '100');
      await running.until(/60 begun/);
      const victims = rolesOf(way().uid).others.slice(0, 5);
      for (const { pid } of victims) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {} // it has ended by itself
      }
      await running.until(/(\d+) right/);
      assert.is((await running.exited).status, 0);
      assert.equal(processesOf(way().uid), []);
    });

    it(`${accelerator}: a process that is killed before its maker can tell of it is not waited for`, async () => {
      const running = start(way(), 'births', '60', '3');
      await running.until(/born/);
      // as this user, who can hit nobody else
      execFileSync('setpriv', [`--reuid=${way().uid}`, '--clear-groups', newborn, '3']);
      assert.is((await running.exited).status, 0);
      assert.equal(processesOf(way().uid), []);
    });

    it(`${accelerator}: the user goes`, () => known?.close());
  }
  test.run();
}

void main();
