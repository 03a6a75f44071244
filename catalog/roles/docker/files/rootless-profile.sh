# Where a user's own Docker daemon listens.
if [ "$(id -u)" -ne 0 ] && [ -n "$XDG_RUNTIME_DIR" ]; then export DOCKER_HOST="unix://$XDG_RUNTIME_DIR/docker.sock"; fi
