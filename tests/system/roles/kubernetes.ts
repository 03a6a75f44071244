import type { RoleCase } from './case.ts';
import { kubernetesPackages } from './stand-ins/kubernetes.ts';

const HELD = 'apt-mark showhold | tr "\\n" " "';

/** kubeadm would make this file, and start the kubelet. */
const KUBELET = `
set -e
[ "$(systemctl is-active kubelet || true)" = inactive ]
mkdir -p /var/lib/kubelet && touch /var/lib/kubelet/config.yaml
systemctl restart kubelet
systemctl is-active kubelet
`;

/** What was asked for was pulled once, though the image has nothing of it. */
const PULLED = `
for attempt in $(seq 40); do if [ -e /var/lib/ingot/kubernetes-images ]; then break; fi; sleep 3; done
cat /run/crictl-was-asked
`;

export const cases: readonly RoleCase[] = [
  {
    role: 'kubernetes',
    parameters: { version: '1.35', images: ['example.test/one:1'], mirrors: ['docker.io=https://a.example', 'docker.io=https://b.example'], ipvs: true },
    standIn: { repositories: [{ name: 'kubernetes', packages: kubernetesPackages('1.35'), suites: ['/'] }] },
    template: {
      tests: [
        { name: 'its packages are held', command: HELD, contains: 'kubeadm kubectl kubelet' },
        { name: 'the kubelet waits for kubeadm', command: KUBELET, contains: 'active' },
        { name: 'images are pulled at the first boot', command: PULLED, contains: 'pull example.test/one:1' },
        { file: '/etc/containerd/certs.d/docker.io/hosts.toml', contains: '[host."https://b.example"]' },
        { name: 'modules of IPVS', command: 'ls -d /sys/module/ip_vs_rr' },
      ],
    },
  },
];
