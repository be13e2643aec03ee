// tsnspawn boot-check: boots a guest, waits until it says that it is up, shuts it down in order, and tells how that went.

import { readFileSync } from 'node:fs';
import { type ContainerSpec, type HostFacts, parseArguments, TsnspawnError, UsageError } from '@tsnspawn/core';
import { enterLeaf, type Machine, type MachineEnd, probeHost, probeTree, startMachine } from '@tsnspawn/runtime';
import { Command, Option } from 'clipanion';
import { inItsUnit, openImage, type Prepared, prepare, withFallbacks } from '../launch';
import { STDIO } from '../stdio';
import { Verb } from './verb';

/** How long a guest may take to come up, and to go down, in seconds. */
const DEFAULT_TIMEOUT = 120;

const OWN = { candidates: { from: 'nothing' }, many: false } as const;

export class BootCheckCommand extends Verb {
  static override readonly paths = [['boot-check']];
  static override readonly usage = Command.Usage({
    description: 'boot a tree until it is up, and shut it down again',
    details: `
      Takes the options of a launch. The guest's console goes to standard error; standard output gets one line about what
      booted and how long it took: as JSON with --json. --timeout=SECONDS is what it may take to come up, and again to go down
      (default 120); both stand before the options of the launch. The exit status is 0 when the guest said that it is up and then went down in order.
    `,
    examples: [
      ['Check that a tree boots', '$0 boot-check -D debian-tree'],
      ['The same for a program', '$0 boot-check --json -D debian-tree /sbin/init'],
    ],
  });

  static override readonly operands = 'launch';
  static override readonly ownOptions = [
    { ...OWN, names: ['--json'], takes: 'nothing', help: 'print the result as JSON', metavar: '' },
    {
      ...OWN,
      names: ['--timeout'],
      takes: 'required',
      help: 'seconds that it may take to come up, and to go down',
      metavar: 'SECONDS',
    },
  ] as const;

  // All of them: a proxy takes every option, so those of the verb itself are told apart by hand.
  args = Option.Proxy({ name: 'OPTIONS' });

  protected override async run(): Promise<number> {
    const { json, help, seconds, launch } = ownOptions(this.args);
    if (help) {
      STDIO.out(this.cli.usage(BootCheckCommand, { detailed: true }));
      return 0;
    }
    const result = await bootCheck(specOf(launch), seconds);
    STDIO.out(json ? `${JSON.stringify(result)}\n` : `${inWords(result)}\n`);
    return result.end.status;
  }
}

/** The verb's own options, which stand first, and those of the launch behind them. */
function ownOptions(args: readonly string[]): { json: boolean; help: boolean; seconds: number; launch: string[] } {
  const launch = [...args];
  const own = { json: false, help: false, seconds: DEFAULT_TIMEOUT };
  for (;;) {
    const [first = ''] = launch;
    if (first === '--json') own.json = true;
    else if (first === '-h' || first === '--help') own.help = true;
    else if (first === '--timeout' || first.startsWith('--timeout=')) {
      const text = first === '--timeout' ? (launch.splice(1, 1)[0] ?? '') : first.slice('--timeout='.length);
      own.seconds = Number(text);
      if (!(own.seconds > 0)) {
        throw new UsageError(`--timeout needs a number of seconds, not '${text}'`, { option: '--timeout' });
      }
    } else return { ...own, launch };
    launch.shift();
  }
}

interface BootResult {
  readonly machine: string;
  /** PRETTY_NAME of the guest */
  readonly system: string;
  /** name of the guest's PID 1 */
  readonly init: string;
  /** seconds from the start until the guest said READY=1 */
  readonly up: number;
  /** seconds from the start until nothing was left of it */
  readonly down: number;
  readonly end: MachineEnd;
}

function specOf(argv: readonly string[]): ContainerSpec {
  const invocation = parseArguments(argv, process.env);
  if (invocation.kind !== 'launch')
    throw new UsageError('boot-check takes the options of a launch, see tsnspawn --help');
  // Without a command it is a boot that is meant, and nobody types at it.
  const { spec } = invocation;
  return { ...spec, start: spec.command.length === 0 ? 'boot' : spec.start, console: 'read-only' };
}

/** The verb stays in this process. Root's stays in the unit that it is in, too; an ordinary user has a cgroup in a scope alone. */
function settled(spec: ContainerSpec, warn: (text: string) => void): Prepared {
  const host = (): HostFacts => {
    const facts = probeHost();
    return facts.userManager === undefined ? { ...facts, systemd: false } : facts;
  };
  return inItsUnit(spec, prepare(spec, false, { probeHost: host, probeTree, openImage }, warn), warn);
}

/** Boots, waits, shuts down. */
async function bootCheck(spec: ContainerSpec, seconds: number): Promise<BootResult> {
  const warn = (text: string): void => void process.stderr.write(`tsnspawn: warning: ${text}\n`);
  const prepared = settled(spec, warn);
  const started = process.hrtime.bigint();
  const elapsed = (): number => Number(process.hrtime.bigint() - started) / 1e9;
  let isReady!: () => void;
  const ready = new Promise<'ready'>((resolve) => {
    isReady = () => resolve('ready');
  });
  const machine = withFallbacks(prepared, warn, ({ tree, container, plan, handed, held }) => {
    enterLeaf(plan);
    return startMachine(plan, { tree, readOnly: container.root.shared, handed, held, stdout: 2, onReady: isReady });
  });
  const stop = (): void => void machine.terminate();
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const first = await within(seconds, Promise.race([ready, machine.ended]), machine, 'come up');
  if (first !== 'ready') throw new TsnspawnError(`the guest ended before it was up: it ${first.text}`);
  const init = initOf(machine);
  const up = elapsed();
  machine.terminate();
  const end = await within(seconds, machine.ended, machine, 'shut down');
  process.off('SIGTERM', stop).off('SIGINT', stop);
  const { osRelease } = prepared.tree;
  const system = osRelease?.prettyName ?? osRelease?.id ?? 'an unnamed system';
  return { machine: machine.name, system, init, up, down: elapsed(), end };
}

/** The promise's value; a machine that takes longer is killed. */
async function within<T>(seconds: number, promise: Promise<T>, machine: Machine, what: string): Promise<T> {
  let late!: (error: Error) => void;
  const deadline = new Promise<never>((_, reject) => {
    late = reject;
  });
  const timer = setTimeout(() => {
    machine.signal(9);
    const error = new TsnspawnError(`the guest did not ${what} within ${seconds} s and was killed`, {
      hint: 'its console above tells how far it came; --timeout gives it more time',
    });
    machine.ended.then(() => late(error), late);
  }, seconds * 1000);
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Name of the guest's PID 1: the monitor's child that is the first process of a PID namespace, or that it traces. The others serve the
 *  guest. */
function initOf(machine: Machine): string {
  const { monitorPid } = machine;
  const children = readFileSync(`/proc/${monitorPid}/task/${monitorPid}/children`, 'latin1').trim().split(' ');
  const statuses = children.map((pid) => readFileSync(`/proc/${pid}/status`, 'latin1'));
  const isInit = new RegExp(`^(?:NSpid:.*\\s1|TracerPid:\\s${monitorPid})$`, 'm');
  const init = statuses.find((status) => isInit.test(status)) ?? '';
  return /^Name:\s*(.*)$/m.exec(init)?.[1] ?? 'an unknown program';
}

function inWords({ machine, system, init, up, down, end }: BootResult): string {
  return `${machine}: ${system} booted with ${init} as PID 1 and was up after ${up.toFixed(2)} s; it ${end.text} after ${down.toFixed(2)} s`;
}
