#!/bin/sh
# redis-machine GROUP
# The password of this machine, made once: in a file that root alone reads, and in one that the server reads besides.
set -eu
umask 077
mkdir -p /root/redis
if [ ! -s /root/redis/password ]; then
  head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >/root/redis/password.new
  mv /root/redis/password.new /root/redis/password
fi
# printf is of the shell: the password is in no command line.
printf 'requirepass %s\n' "$(cat /root/redis/password)" >/etc/redis-role/password.new
chown "root:$1" /etc/redis-role/password.new
chmod 0640 /etc/redis-role/password.new
mv /etc/redis-role/password.new /etc/redis-role/password.conf
