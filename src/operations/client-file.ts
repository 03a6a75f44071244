import * as z from 'zod';

/** A path on the machine of the front end. The CLI makes it absolute; the HTTP API takes an upload or a download instead. */
export const clientFile = z.string().min(1).meta({ clientFile: true });
