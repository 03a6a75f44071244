import type { StandInPackage } from '../../../support/stand-in.ts';

/*
 * The packages of pkgs.k8s.io for Debian (kubernetes/release, cmd/krel/templates/latest): names, dependencies, paths and units. Nothing of them works
 * as Kubernetes does; the kubelet says that it was started.
 */

const SERVICE = `[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
`;

const DROP_IN = `[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
`;

const program = (content: string): { content: string; mode: string } => ({ content: `#!/bin/sh\n${content}`, mode: '0755' });

/** What https://pkgs.k8s.io/core:/stable:/v<minor>/deb/ offers. */
export function kubernetesPackages(minor: string): readonly StandInPackage[] {
  const version = `${minor}.4-1.1`;
  return [
    {
      name: 'kubelet',
      version,
      depends: ['iptables (>= 1.4.21)', 'kubernetes-cni (>= 1.2.0)', 'mount', 'util-linux'],
      files: {
        '/usr/bin/kubelet': program('[ -f /var/lib/kubelet/config.yaml ] || exit 1\nexec sleep infinity\n'),
        '/usr/lib/systemd/system/kubelet.service': SERVICE,
      },
    },
    {
      name: 'kubeadm',
      version,
      depends: ['cri-tools (>= 1.30.0)'],
      files: {
        '/usr/bin/kubeadm': program(`case "$*" in 'version -o short') echo v${minor}.4 ;; 'config images pull'*) echo "$*" ;; esac\n`),
        '/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf': DROP_IN,
      },
    },
    { name: 'kubectl', version, files: { '/usr/bin/kubectl': program('echo stand-in\n') } },
    {
      name: 'cri-tools',
      version: `${minor}.0-1.1`,
      files: { '/usr/bin/crictl': program('grep -q containerd.sock /etc/crictl.yaml && echo "$*" >>/run/crictl-was-asked\n') },
    },
    { name: 'kubernetes-cni', version: '1.9.1-1.1', files: { '/opt/cni/bin/loopback': program('exit 0\n') } },
  ];
}
