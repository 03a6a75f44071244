# Compares settings with facts: prints id and problem, tab between them, for each setting that does not hold. In: facts, then settings, as
# ingot-hardened writes them; x86: the machine's name; own: the file of audit rules.
function wrong(text) { print id "\t" text }
# Whether permissions go beyond the most that is allowed, digit by digit.
function more(now, most,   i, a, b, bit) {
  now = substr("0000" now, length(now) + 1); most = substr("0000" most, length(most) + 1)
  for (i = 1; i <= 4; i++) for (bit = 4; bit >= 1; bit = bit / 2) {
    a = int(substr(now, i, 1) / bit) % 2; b = int(substr(most, i, 1) / bit) % 2
    if (a > b) return 1
  }
  return 0
}
FNR == NR {
  if ($1 == "sshd") {
    line = tolower($2); sshd[line] = 1; name = line; sub(/ .*/, "", name)
    if (!(name in first)) first[name] = line
    if (said == "") said = $2
  }
  else if ($1 == "sysctl") sysctl[$2] = $3
  else if ($1 == "modprobe") { line = $2; gsub(/[ \t]+/, " ", line); sub(/ \/usr\/bin\//, " /bin/", line); modprobe[line] = 1 }
  else if ($1 == "loaded") loaded[$2] = 1
  else if ($1 == "mount") mount[$2] = $3
  else if ($1 == "audit") audit[++rules] = $2
  else if ($1 == "stat") { mode[$2] = $3; owner[$2] = $4 }
  else if ($1 == "unit") unit[$2] = $3
  else if ($1 == "package") { if ($2 == "installed") package[$3] = 1 }
  else if ($1 == "text") { line = substr($0, length($2) + 7); text[$2, line] = 1; if ($2 == own) wanted[++wants] = line; lines[$2, ++count[$2]] = line }
  next
}
{
  id = $0; sub(/ .*/, "", id); rest = substr($0, length(id) + 2); kind = rest; sub(/ .*/, "", kind); rest = substr(rest, length(kind) + 2)
  n = split(rest, word, " ")
  tail = rest; sub(/^[^ ]+ /, "", tail)
}
kind == "sshd" {
  want = tolower(rest); name = tolower(word[1])
  if (!(want in sshd)) wrong((name in first) ? "sshd has " first[name] ", not " tail : "sshd -T says " said)
}
kind == "sysctl" && (word[1] in sysctl) {
  now = sysctl[word[1]]
  # Where the kernel counts strictness upwards, stricter is right too.
  upwards = word[1] ~ /^(kernel.unprivileged_bpf_disabled|kernel.perf_event_paranoid|kernel.yama.ptrace_scope|kernel.kptr_restrict|fs.protected_.*)$/
  if (upwards ? now + 0 < word[2] + 0 : now != word[2]) wrong(word[1] " is " now ", not " word[2])
}
kind == "module" {
  if (!(("install " rest " /bin/false") in modprobe)) wrong(rest " can be loaded")
  name = rest; gsub(/-/, "_", name); if (name in loaded) wrong(rest " is loaded")
}
kind == "mount" {
  if (!(word[1] in mount)) wrong("nothing is mounted on " word[1])
  m = split(word[2], option, ",")
  for (i = 1; i <= m; i++) if (option[i] ~ /^no/ && index("," mount[word[1]] ",", "," option[i] ",") == 0) wrong(word[1] " is mounted without " option[i])
}
kind == "line" && !((word[1], tail) in text) { wrong(word[1] " lacks: " tail) }
kind == "conf" {
  value = "not set"
  for (i = 1; i <= count[word[1]]; i++) {
    line = lines[word[1], i]; sub(/^[ \t]+/, "", line); sub(/[ \t]+$/, "", line)
    m = split(line, part, word[2] == "space" ? "[ \t]+" : "[ \t]*=[ \t]*")
    if (m > 1 && part[1] == word[3]) value = part[2]
  }
  if (value != word[4]) wrong(word[3] " in " word[1] " is " value ", not " word[4])
}
kind == "mode" && (word[1] in mode) {
  if (more(mode[word[1]], word[2])) wrong(word[1] " has mode " mode[word[1]] ", more than " word[2])
  # root:root gives away less than any other owner.
  now = owner[word[1]]; if (now != word[3] && now != "root:root") wrong(word[1] " belongs to " now ", not " word[3])
}
kind == "unit" {
  now = (word[1] in unit) ? unit[word[1]] : "not there"
  if (word[2] == "masked" ? now == "active" : now != "active") wrong(word[1] " is " now)
}
# The kernel lists the same rules in other words, so those of each key are counted.
kind == "audit" || (kind == "audit-x86" && x86 == "x86_64") {
  key = rest; sub(/.*-k /, "", key); now = want = 0
  for (i = 1; i <= wants; i++) if (wanted[i] ~ ("-k " key "$")) want++
  for (i = 1; i <= rules; i++) if (audit[i] ~ ("(-k |key=)" key "$")) now++
  if (now < want || want == 0) wrong("the kernel has " now " audit rules for " key ", not " want)
}
kind == "nopackage" && (rest in package) { wrong(rest " is installed") }
