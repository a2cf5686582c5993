#!/bin/sh
# What the official entry point does for a container that does not start as root.
set -e
case "$1" in -*|*.conf) set -- redis-server "$@" ;; esac
[ "$(umask)" != 0022 ] || umask 0077
# Without protected mode, as the official image is compiled: the container's network is the border.
[ "$1" != redis-server ] || { shift; set -- redis-server "$@" --protected-mode no; }
exec "$@"
