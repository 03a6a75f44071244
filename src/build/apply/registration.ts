import { IngotError, toIngotError, type ErrorOptions } from '../../base/errors.ts';
import { leftAtVendor, openRegistration, type OpenRegistration } from '../../base/registrations.ts';
import type { Secrets } from '../../base/secrets.ts';
import type { Registration } from '../../families/recipe.ts';
import type { Context } from '../../operations/operation.ts';
import type { GuestCommand } from '../../sources/bootstrap/recipe.ts';
import type { GuestRoot, RunInRootOptions } from '../../workspace/guest-root.ts';
import type { Place } from '../../workspace/place.ts';
import type { ApplyContext } from './apply.ts';
import { runCommand } from './command.ts';

/** Seconds for a vendor's program to register, which has it fetch the metadata of its repositories, or to take that back. */
const VENDOR_SECONDS = 600;
/** Shorter secrets are words that files hold for other reasons: activation keys are names that somebody chose. */
const SHORTEST_SEARCHED = 12;

/** What registering needs of a layer that is made. */
export interface Registering extends Pick<ApplyContext, 'mask' | 'refuse'> {
  readonly context: Pick<Context, 'host' | 'home' | 'events' | 'signal'>;
  readonly place: Pick<Place, 'kind'>;
  readonly secrets: Pick<Secrets, 'value'>;
}

/** Runs work in a root that is registered meanwhile, and unregistered afterwards however it ends: also where the user stops ingot. Both need the network. */
export async function whileRegistered(apply: Registering, root: GuestRoot, registration: Registration, work: () => Promise<void>): Promise<void> {
  const { context, place, secrets } = apply;
  const secret = registration.secret === undefined ? '' : (await secrets.value(registration.secret)).trim();
  apply.mask(secret === '' ? [] : [secret]);
  await using open = await openRegistration(context, registration);
  const run: RunInRootOptions = { network: true, hostname: open.record.machine, uninterrupted: true, timeout: VENDOR_SECONDS };
  let failure: { readonly error: unknown } | undefined;
  let unanswered = false;
  try {
    context.signal.throwIfAborted();
    await root.writeFiles(registration.files);
    const alone = { INGOT_ALONE: place.kind === 'vm' ? 'yes' : 'no' };
    await runCommand(root, registration.register, { ...run, env: alone, stdin: `${secret}\n` }).catch((error: unknown) => {
      unanswered = !(error instanceof IngotError && error.code === 'change-failed');
      throw refused(error, registration);
    });
    await identify(apply, root, registration, open, run, secret);
    await work();
  } catch (error) {
    failure = { error };
  }
  const left = await takeBack(root, registration, open, run, unanswered);
  if (failure !== undefined) {
    if (left !== undefined) context.events.message('warn', `${left.message}. ${left.options.hint ?? ''}`);
    throw failure.error;
  }
  if (left !== undefined) throw new IngotError('upstream', 'unregistration-failed', left.message, left.options);
}

/** Learns what the vendor calls the machine: for the journal, for masking, and for the search for what is left. */
async function identify(
  apply: Registering,
  root: GuestRoot,
  { identify: command }: Registration,
  open: OpenRegistration,
  run: RunInRootOptions,
  secret: string,
): Promise<void> {
  const { stdout } = await root.run(command.argv, { ...run, quiet: true });
  const [identity, ...given] = stdout.split('\n').filter((line) => line.trim() !== '');
  // As HTTP and the files of registries write a name and a password.
  const pairs = given.map((password) => Buffer.from(`${identity}:${password}`).toString('base64'));
  apply.mask(given);
  apply.refuse([...(identity === undefined ? [] : [identity]), ...given, ...pairs, ...(secret.length < SHORTEST_SEARCHED ? [] : [secret])]);
  if (identity !== undefined) await open.identified(identity);
}

/** What is left at the vendor, as an error says it. */
interface Left {
  readonly message: string;
  readonly options: ErrorOptions;
}

/** Unregisters and takes its traces away; answers with what is left at the vendor, where that failed. */
async function takeBack(
  root: GuestRoot,
  registration: Registration,
  open: OpenRegistration,
  run: RunInRootOptions,
  unanswered: boolean,
): Promise<Left | undefined> {
  // Of one that was cut off the root need not know, and the vendor may.
  const unknown = unanswered && (await root.run(registration.identify.argv, { ...run, quiet: true }).catch(() => ({ stdout: '' }))).stdout.trim() === '';
  const unregister = (): Promise<void> => runCommand(root, registration.unregister, run);
  const error: unknown = await unregister()
    .catch(unregister)
    .then(
      () => undefined,
      (thrown: unknown) => toIngotError(thrown),
    );
  await cleaned(root, registration.clean, run);
  // What is left is told now, and not once more by the next start.
  await open.forget();
  const { message, hint } = leftAtVendor(open.record);
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}`;
  if (!(error instanceof IngotError)) return unknown ? { message: `${sentence}: it did not answer`, options: { hint } } : undefined;
  const options = { hint, cause: error, ...(error.detail === undefined ? {} : { detail: error.detail }) };
  return { message: `${sentence}: ${error.message}`, options };
}

/** A root that is lost is no layer; in any other, the check before it is stored finds what is still there. */
async function cleaned(root: GuestRoot, clean: GuestCommand, { timeout, uninterrupted }: RunInRootOptions): Promise<void> {
  await runCommand(root, clean, { ...(timeout === undefined ? {} : { timeout }), ...(uninterrupted === undefined ? {} : { uninterrupted }) }).catch(
    () => undefined,
  );
}

/** What the vendor said is the error; what is no answer of its stays what it is. */
function refused(error: unknown, { vendor, secret }: Registration): unknown {
  if (!(error instanceof IngotError) || !['change-failed', 'command-timeout'].includes(error.code)) return error;
  const said = error.message.replace(/^registration(: | failed)/, '');
  return new IngotError('upstream', 'subscription-refused', `The system could not be registered at ${vendor}${said === '' ? '' : `: ${said}`}`, {
    cause: error,
    hint:
      secret === undefined
        ? 'Look at `subscription` in the template, and at the network.'
        : `Look at \`subscription\` in the template, at the network, and whether what the secret ${secret} holds is still good.`,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
}

/** Refuses a sealed layer in which something of a registration is left: throws `registration-left`. `traces` are texts that no file of it may hold. */
export async function refuseRegistered(root: GuestRoot, { check }: Registration, traces: readonly string[]): Promise<void> {
  const lines = traces.filter((text) => text.trim() !== '').map((text) => `${text}\n`);
  await runCommand(root, check, { stdin: lines.join('') }).catch((error: unknown) => {
    if (!(error instanceof IngotError) || error.code !== 'change-failed') throw error;
    throw new IngotError('verification', 'registration-left', 'The layer still holds something of the registration', {
      cause: error,
      detail: error.detail ?? error.message,
      hint: 'A role or package of this layer may have kept it. The layer was not stored.',
    });
  });
}
