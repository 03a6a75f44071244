// Loaded into ingot by `node --import`: writes the most memory that the process had, in bytes, when it ends.
import { writeFileSync } from 'node:fs';

process.on('exit', () => writeFileSync(process.env.BENCH_MEMORY_FILE, String(process.resourceUsage().maxRSS * 1024)));
