// A plan for people: --dry-run. The phrases are those of the errors, so that a failed step can be found here.

import { type LaunchPlan, mapInWords, quoted, type Step, signalName, stepInWords } from '@tsnspawn/core';

const WIDTH = 100;

/** The plan as text: a head of what it is for, then the steps by side, numbered through in the order of their execution. */
export function renderPlan(plan: LaunchPlan): string {
  const { monitor } = plan;
  const head: readonly (readonly [string, string])[] = [
    ['container', plan.machine],
    ['namespaces', plan.clone.guest.join(' ')],
    ...(plan.clone.maps === undefined ? [] : ([['users', mapInWords(plan.clone.maps.uids)]] as const)),
    [
      'console',
      monitor.background === undefined ? monitor.console : `${monitor.console}, background ${monitor.background}`,
    ],
    ['shutdown', monitor.killSignal === 0 ? 'kill' : signalName(monitor.killSignal)],
    ['on reboot', monitor.restart ? 'start again' : 'exit with status 133'],
    ...(plan.stub ? ([['PID 1', 'a stub; the payload is PID 2']] as const) : []),
  ];
  const sections = [
    { title: 'on the host, before the container exists', steps: plan.outer },
    { title: 'on the host, while its first process waits', steps: plan.host },
    { title: 'in the container', steps: plan.inner },
    { title: 'on the host, when the container waits for it', steps: plan.late },
  ].filter(({ steps }) => steps.length > 0);

  let text = head.map(([name, value]) => `${name.padEnd(10)}  ${value}\n`).join('');
  let number = 0;
  const digits = String(plan.outer.length + plan.host.length + plan.inner.length + plan.late.length).length;
  for (const { title, steps } of sections) {
    text += `\n${title}\n`;
    for (const step of steps) {
      number += 1;
      text += `  ${String(number).padStart(digits)}  ${stepInWords(step)}${remark(step)}\n`;
      for (const line of details(step)) text += `  ${' '.repeat(digits)}    ${line}\n`;
    }
  }
  return text;
}

/** What the phrase of an error leaves out because it does not matter there. */
function remark(step: Step): string {
  return 'optional' in step && step.optional === true ? ', where possible' : '';
}

function details(step: Step): string[] {
  switch (step.op) {
    case 'identity':
      return [
        ...wrap('capabilities:', step.bounding.length === 0 ? ['none'] : step.bounding),
        ...(step.ambient.length > 0 ? wrap('ambient:', step.ambient) : []),
        ...(step.noNewPrivileges ? ['no new privileges'] : []),
      ];
    case 'seccomp':
      if (!('names' in step)) return [];
      return [
        ...(step.capabilities.length > 0 ? wrap('calls of the capabilities:', step.capabilities) : []),
        ...(step.names.length > 0 ? wrap('calls:', step.names) : []),
      ];
    case 'exec':
      return [
        ...(step.userShell === true ? ["the user's own shell first, as a login shell"] : []),
        ...(step.args.length > 0 ? wrap('arguments:', step.args.map(quoted)) : []),
        ...wrap('environment:', step.env.map(quoted)),
      ];
    case 'forwardPorts':
      return [step.chains, step.rules4, step.rules6].flatMap((rules) => rules.split('\n'));
    default:
      return [];
  }
}

/** Words in lines of at most WIDTH characters, unless a word alone is longer; the first line begins with the label. */
function wrap(label: string, words: readonly string[]): string[] {
  const lines: string[] = [];
  let line = label;
  for (const word of words) {
    if (line.length + 1 + word.length > WIDTH && line.trim() !== '') {
      lines.push(line);
      line = ' '.repeat(label.length);
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
