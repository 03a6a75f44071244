import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';

/**
 * A shell function that reads names, one in a line, and prints those that are nearest to its argument (edit distance, or holding it), joined
 * with commas. For errors inside an image, where only the image knows which names there are.
 */
const NEAREST = String.raw`nearest() {
  awk -v want="$1" '
    function low(a, b) { return a < b ? a : b }
    function distance(s, t,    i, j, m, n, d) {
      m = length(s); n = length(t)
      for (i = 0; i <= m; i++) d[i, 0] = i
      for (j = 0; j <= n; j++) d[0, j] = j
      for (i = 1; i <= m; i++) for (j = 1; j <= n; j++)
        d[i, j] = low(low(d[i-1, j], d[i, j-1]) + 1, d[i-1, j-1] + (substr(s, i, 1) != substr(t, j, 1)))
      return d[m, n]
    }
    BEGIN { want = tolower(want); limit = int(length(want) / 3) + 1 }
    {
      name = tolower($0); gap = length(name) - length(want); if (gap < 0) gap = -gap
      if (index(name, want)) print 0, gap, $0
      else if (gap <= limit && (far = distance(want, name)) <= limit) print far, gap, $0
    }' | sort -n -k 1,1 -k 2,2 | head -n 3 | cut -d ' ' -f 3- | paste -s -d , | sed 's/,/, /g'
}
`;

/** A command of shell: `script` is a constant, data comes as its arguments, and what fails ends it. */
export function shell(label: string, script: string, ...args: readonly string[]): GuestCommand {
  const text = script.includes('nearest ') ? NEAREST + script.trim() : script.trim();
  return { label, argv: ['sh', '-ec', text, 'sh', ...args] };
}
