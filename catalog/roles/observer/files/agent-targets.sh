#!/bin/sh
# The one target of the agent: the node exporter of this machine, at the port that is given, under the machine's name.
set -eu
printf '[{"targets":["localhost:%s"],"labels":{"instance":"%s"}}]\n' "$1" "$(hostname)" > /run/prometheus-agent/targets.json
