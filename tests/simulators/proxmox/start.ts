import { SimCluster } from './cluster.ts';
import { Simulator } from './server.ts';

/*
 * Runs the simulator until it is ended, to try commands by hand: prints its address, the token and the fingerprint. Its guests are stand-ins, which let nobody
 * log in: publish with --no-ssh.
 */

const nodes = process.argv.slice(2);
const simulator = await Simulator.start({ cluster: new SimCluster(nodes.length > 0 ? nodes : ['pve']) });
console.log(JSON.stringify({ url: simulator.url, tokenId: simulator.tokenId, secret: simulator.secret, fingerprint: simulator.tls.fingerprint }));
