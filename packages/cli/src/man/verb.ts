// The pages about the verbs, from what each says about itself.

import type { DescribedVerb } from '../commands/verb';
import type { CompletedLine, CompletedOption } from '../completion/model';
import { bold, entry, example, italic, type Page, text } from './roff';

export function verbPage({ line, options, definition }: DescribedVerb): Page {
  const details = (definition.details ?? '').trim().split(/\n\s*\n/);
  return {
    name: `tsnspawn-${line.name}`,
    summary: line.help,
    sections: [
      {
        title: 'SYNOPSIS',
        body: [`.B tsnspawn ${line.name.replaceAll('-', '\\-')}`, synopsis(line, definition.usage)],
      },
      { title: 'DESCRIPTION', body: text(...details) },
      ...(options.length === 0
        ? []
        : [{ title: 'OPTIONS', body: options.flatMap((option) => entry(term(option), option.help)) }]),
      ...(definition.examples === undefined
        ? []
        : [
            {
              title: 'EXAMPLES',
              body: definition.examples.flatMap(([about, command]) => example(`${about.trim()}:`, command.trim())),
            },
          ]),
      { title: 'SEE ALSO', body: ['tsnspawn(1)'] },
    ],
  };
}

/** The words behind the name; clipanion writes `tsnspawn bootstrap [--variant #0] … <SUITE> <DIR> [MIRROR]`. */
function synopsis({ name, options, operands }: CompletedLine, usage: string): string {
  const words =
    operands === 'payload'
      ? [`[${italic('COMMAND')} [${italic('ARGUMENT')}...]]`]
      : usage
          .slice(usage.indexOf(name) + name.length)
          .split(/\s+(?=[<[])/)
          .filter((word) => /^[<[][^-]/.test(word))
          .map((word) => word.replace(/[A-Z]+/, (operand) => italic(operand)).replace(/^<(.*)>$/, '$1'));
  return [...(options.length === 0 ? [] : [`[${italic('OPTIONS')}]`]), ...words].join(' ');
}

function term({ names, metavar, takes }: CompletedOption): string {
  const value = takes === 'nothing' ? '' : `${bold('=')}${italic(metavar)}`;
  return names.map((name) => (name.startsWith('--') ? `${bold(name)}${value}` : bold(name))).join(', ');
}
