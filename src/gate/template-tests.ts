import type { TemplateTest } from '../template/schema.ts';
import type { ResolvedTest } from '../template/template.ts';
import type { GateCheck } from './check.ts';
import { shellWord } from './script.ts';

/** Seconds that a test's command may take. */
export const TEST_SECONDS = 300;

/** Looks that are taken, two seconds apart, at what a service needs a moment for after the boot. */
const PATIENCE = 30;

/** Only the end of what a command printed is kept. */
const LINES = 20;

/**
 * The tests of a template as checks that run in the gate's guest, beside the built-in ones: POSIX sh, in which the template's words are quoted. Their
 * names tell them apart and stay the same while the tests do.
 */
export function templateChecks(tests: readonly ResolvedTest[]): GateCheck[] {
  const taken = new Map<string, number>();
  return tests.map((test) => {
    const { title, holds, script } = checkOf(test);
    const plain = `${test.role === undefined ? 'test' : `role ${test.role}`}: ${(test.name ?? title).replaceAll(/[\p{Cc}\s]+/gu, ' ').trim()}`;
    const count = (taken.get(plain) ?? 0) + 1;
    taken.set(plain, count);
    return { name: count === 1 ? plain : `${plain} (${count})`, holds, where: 'guest', script };
  });
}

interface Parts {
  readonly title: string;
  readonly holds: string;
  readonly script: string;
}

function checkOf(test: TemplateTest): Parts {
  if ('command' in test) return command(test);
  if ('port' in test) return port(test);
  if ('service' in test) return service(test);
  return file(test);
}

type Test<Key extends string> = Extract<TemplateTest, Readonly<Record<Key, unknown>>>;

/** The command gets an empty input: what comes after it in the gate's script is not for it. */
function command({ command: text, 'exit-code': wanted, contains }: Test<'command'>): Parts {
  const look = `case "$output" in *${shellWord(contains ?? '')}*) ;; *) echo ${shellWord('the output does not hold the text')}; wrong=yes ;; esac`;
  return {
    title: firstLine(text),
    holds: `The command ends with exit code ${wanted}${contains === undefined ? '' : ' and its output holds the text'}.`,
    script: `
wrong=
output=$(timeout ${TEST_SECONDS} sh -c ${shellWord(text)} </dev/null 2>&1)
code=$?
output="$output
"
if [ "$code" -eq 124 ] && [ ${wanted} -ne 124 ]; then
  echo "it did not end within ${TEST_SECONDS} s"
  wrong=yes
elif [ "$code" -ne ${wanted} ]; then
  echo "its exit code is $code, not ${wanted}"
  wrong=yes
fi
${contains === undefined ? '' : look}
if [ -n "$wrong" ]; then printf '%s' "$output" | tr -d '\\036' | tail -n ${LINES} | cut -c 1-500; fi
`,
  };
}

function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 60 ? `${line.slice(0, 57)}…` : line;
}

/** Repeats until the shell condition holds, or for long enough. */
function eventually(condition: string, otherwise: string): string {
  return `
tries=0
until ${condition}; do
  tries=$((tries + 1))
  if [ "$tries" -ge ${PATIENCE} ]; then
    ${otherwise}
    break
  fi
  sleep 2
done
`;
}

/** Read from the kernel's own tables, since not every image has a tool for it: state 0A is listening, 07 an unconnected UDP socket. */
function port({ port: number, protocol }: Test<'port'>): Parts {
  const hex = number.toString(16).toUpperCase().padStart(4, '0');
  const state = protocol === 'tcp' ? '0A' : '07';
  const find = `cat /proc/net/${protocol} /proc/net/${protocol}6 2>/dev/null | awk '$2 ~ /:${hex}$/ && $4 == "${state}" { found = 1 } END { exit !found }'`;
  return {
    title: `port ${number}/${protocol}`,
    holds: `Something listens on ${protocol.toUpperCase()} port ${number}.`,
    script: eventually(find, `echo "nothing listens on ${protocol} port ${number}"`),
  };
}

function service({ service: name, state }: Test<'service'>): Parts {
  const unit = shellWord(name);
  const status = `systemctl status --no-pager --lines=10 -- ${unit} 2>&1 | tail -n ${LINES}`;
  const scripts = {
    running: eventually(`systemctl is-active --quiet -- ${unit}`, `echo "it is $(systemctl is-active -- ${unit})"; ${status}`),
    enabled: `systemctl is-enabled --quiet -- ${unit} 2>/dev/null || echo "it is $(systemctl is-enabled -- ${unit} 2>&1 | tail -n 1)"`,
    stopped: `if systemctl is-active --quiet -- ${unit}; then echo "it is running"; fi`,
  };
  return { title: `service ${name} ${state}`, holds: `The service ${name} is ${state}.`, script: scripts[state] };
}

function file({ file: path, exists, contains, mode, owner }: Test<'file'>): Parts {
  const name = shellWord(path);
  if (!exists) return { title: `no ${path}`, holds: `There is no ${path}.`, script: `if [ -e ${name} ] || [ -L ${name} ]; then echo "it is there"; fi` };
  const lines = [
    ...(contains === undefined ? [] : [`case "$(cat ${name}; echo)" in *${shellWord(contains)}*) ;; *) echo "it does not hold the text" ;; esac`]),
    ...(mode === undefined ? [] : [differs(name, '%a', Number.parseInt(mode, 8).toString(8), 'mode')]),
    ...(owner === undefined ? [] : ownerOf(name, owner)),
  ];
  return {
    title: `file ${path}`,
    holds: `${path} is there and as it has to be.`,
    script: `if [ ! -e ${name} ]; then\n  echo "it is not there"\n  exit 0\nfi\n${lines.join('\n')}`,
  };
}

function differs(name: string, format: string, wanted: string, what: string): string {
  return `found=$(stat -L -c ${shellWord(format)} ${name}); [ "$found" = ${shellWord(wanted)} ] || echo "its ${what} is $found, not "${shellWord(wanted)}`;
}

function ownerOf(name: string, owner: string): string[] {
  const [user = '', group] = owner.split(':');
  const format = (text: string, letter: string): string => `%${/^\d+$/.test(text) ? letter : letter.toUpperCase()}`;
  return [differs(name, format(user, 'u'), user, 'owner'), ...(group === undefined ? [] : [differs(name, format(group, 'g'), group, 'group')])];
}
