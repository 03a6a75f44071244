import { SimCloud } from './cloud.ts';
import { CloudSimulator } from './server.ts';

/*
 * Runs the simulator until it is ended, to try commands by hand: prints its address and keys. The words given are its zones; `!` before a name makes one in
 * which instances cannot be deployed. Its guests are stand-ins, which let nobody log in: publish with --no-ssh.
 */

const names = process.argv.slice(2);
const cloud = new SimCloud([]);
for (const name of names.length > 0 ? names : ['z1', 'z2', 'z3']) {
  cloud.addZone(name.replace(/^!/, ''), name.startsWith('!') ? { deployFails: 'Unable to create a deployment for the instance: no host has capacity' } : {});
}
const simulator = await CloudSimulator.start({ cloud, checkContent: true });
console.log(JSON.stringify({ url: simulator.url, keys: `${simulator.keys.apiKey}:${simulator.keys.secretKey}` }));
