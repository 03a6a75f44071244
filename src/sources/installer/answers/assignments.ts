/** A variable of a shell script, as it is assigned; line counts from 1. */
export interface Assignment {
  readonly value: string;
  readonly line: number;
}

/** The assignments of a script that has nothing else; later ones win. What is no assignment is left to whoever checks ({@link assignmentFaults}). */
export function readAssignments(text: string): ReadonlyMap<string, Assignment> {
  return scan(text).found;
}

/** Places of a script that are no assignments. */
export function assignmentFaults(text: string): readonly { readonly line: number; readonly column: number; readonly message: string }[] {
  return scan(text).faults;
}

const START = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=/;

function scan(text: string): { found: Map<string, Assignment>; faults: { line: number; column: number; message: string }[] } {
  const found = new Map<string, Assignment>();
  const faults: { line: number; column: number; message: string }[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const whole = lines[i] ?? '';
    const line = i + 1;
    const start = START.exec(whole);
    if (start === null) {
      if (!/^[ \t]*(#.*|export([ \t]+[A-Za-z_][A-Za-z0-9_]*)*[ \t]*)?$/.test(whole))
        faults.push({ line, column: 1, message: 'this is no assignment of a variable' });
      continue;
    }
    const [prefix, name = ''] = start;
    const quote = whole.charAt(prefix.length);
    if (quote !== '"' && quote !== "'") {
      found.set(name, { value: whole.slice(prefix.length).replace(/[ \t].*$/, ''), line });
      continue;
    }
    let value = whole.slice(prefix.length + 1);
    while (!value.includes(quote) && i + 1 < lines.length) value += `\n${lines[++i] ?? ''}`;
    const end = value.indexOf(quote);
    if (end === -1) faults.push({ line, column: prefix.length + 1, message: `the quotes of ${name} are not closed` });
    else found.set(name, { value: value.slice(0, end), line });
  }
  return { found, faults };
}
