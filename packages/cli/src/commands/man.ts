// tsnspawn man: the manual, shown by man(1) on a terminal and as roff elsewhere.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '@tsnspawn/core';
import { Command, Option } from 'clipanion';
import { launchPage } from '../man/launch';
import { type Page, renderPage } from '../man/roff';
import { verbPage } from '../man/verb';
import { STDIO } from '../stdio';
import { VERSION } from '../version';
import { Verb } from './verb';

export class ManCommand extends Verb {
  static override paths = [['man']];
  static override usage = Command.Usage({
    description: 'show the manual',
    details: `
      Shows a page of the manual: PAGE is the name of a verb, and without one it is the page about the launch. On a terminal man(1)
      shows it; elsewhere it is printed in the form that man(1) reads.
    `,
    examples: [
      ['Read about the launch', '$0 man'],
      ['Install all pages', '$0 man --output=/usr/local/share/man/man1'],
    ],
  });
  static override readonly operands = [
    { from: 'words', words: ['bootstrap', 'export', 'remove', 'boot-check', 'doctor', 'completion', 'man'] },
  ] as const;
  static override readonly values = { '--output': { from: 'directories' } } as const;

  page = Option.String({ name: 'PAGE', required: false });
  output = Option.String('--output', { description: 'write all pages into this directory instead' });

  protected override async run(): Promise<number> {
    const pages = this.#pages();
    if (this.output !== undefined) {
      mkdirSync(this.output, { recursive: true });
      for (const page of pages) writeFileSync(join(this.output, `${page.name}.1`), renderPage(page, VERSION));
      return 0;
    }
    const wanted = `tsnspawn${this.page === undefined ? '' : `-${this.page.replace(/^tsnspawn-/, '')}`}`;
    const page = pages.find(({ name }) => name === (this.page === 'tsnspawn' ? this.page : wanted));
    if (page === undefined) {
      throw new UsageError(`no page of the manual is called ${this.page || '(empty)'}`, {
        hint: `there are ${pages.map(({ name }) => name).join(', ')}`,
      });
    }
    return show(renderPage(page, VERSION));
  }

  #pages(): Page[] {
    const verbs = this.context.verbs();
    return [launchPage(verbs.map(({ line }) => [line.name, line.help] as const)), ...verbs.map(verbPage)];
  }
}

/** The page by man(1) on a terminal, or as it is where there is none. */
function show(page: string): number {
  if (STDIO.columns !== undefined) {
    const { error, status } = spawnSync('man', ['-l', '-'], { input: page, stdio: ['pipe', 'inherit', 'inherit'] });
    if (error === undefined) return status ?? 1;
  }
  STDIO.out(page);
  return 0;
}
