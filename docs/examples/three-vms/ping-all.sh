#!/bin/sh
# What has to be ready before this VM is: so it answers by its name.
set -eu
ping -c 1 -W 10 db
getent hosts db web-1 web-2
