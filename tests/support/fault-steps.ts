/**
 * Which requests are disturbed: all of them in `./test --full`, or with INGOT_FAULT_STEP=1; else every so many, from another one on in each mode, so that
 * what is run at every change takes minutes.
 */
export const FAULT_STEP = Number(process.env['INGOT_FAULT_STEP'] ?? 12);

/** The first request of the mode of that number. */
export function firstFault(mode: number): number {
  return Number(process.env['INGOT_FAULT_START'] ?? (mode % FAULT_STEP) + 1);
}
