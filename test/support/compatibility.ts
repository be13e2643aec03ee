// The rows of docs/compatibility.md, which is read by people and by tests.

import { readFileSync } from 'node:fs';

export interface Row {
  readonly section: string;
  readonly feature: string;
  readonly difference: string;
  readonly reason: string;
}

/** Every row, in the order of the document. */
export function compatibilityRows(): Row[] {
  let section = '';
  const rows: Row[] = [];
  for (const line of readFileSync('docs/compatibility.md', 'utf8').split('\n')) {
    if (line.startsWith('## ')) section = line.slice(3);
    if (!line.startsWith('| ') || line.startsWith('| feature |')) continue;
    // a bar within a cell is written \|
    const [, feature = '', difference = '', reason = '', rest] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (rest !== '') throw new Error(`not a row of three cells: ${line}`);
    rows.push({ section, feature, difference, reason });
  }
  return rows;
}
